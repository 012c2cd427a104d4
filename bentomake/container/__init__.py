"""Image engines, one file a backend."""
