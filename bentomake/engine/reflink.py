"""Reflinks: one file shares the bytes of another, on the file systems that can."""

from __future__ import annotations

import sys

_FICLONE = 0x40049409  # of linux/fs.h


def clone(source: int, destination: int) -> bool:
    """Share the extents of two open files (Linux); False where the file system cannot."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(destination, _FICLONE, source)
    except OSError:
        return False
    return True
