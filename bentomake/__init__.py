"""bentomake builds Bentos incrementally and says why anything ran."""

__version__ = "0.1.0"
