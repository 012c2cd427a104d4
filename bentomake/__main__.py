"""The entry: asks `fresh` first, imports the rest only if something may have to run."""

from __future__ import annotations


def main() -> int:
    return 0
