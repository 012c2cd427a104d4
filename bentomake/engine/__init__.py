"""The build system underneath: it knows nothing of Bentos."""
