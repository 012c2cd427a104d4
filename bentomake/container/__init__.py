"""Image engines, and the Dockerfiles that they are given."""
