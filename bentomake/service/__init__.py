"""Looking at a user's service, in the user's interpreter."""
