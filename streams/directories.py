"""Directories that only their owner may read: events, state and addresses are nobody else's business."""

from pathlib import Path


def make_private(directory: Path) -> None:
    """Make a directory and what is missing above it, each with mode 0700. What is there stays as it is. OSError."""
    # `mkdir(parents=True)` gives its mode to the last one only: a data directory above it was open to all.
    for missing in reversed([place for place in (directory, *directory.parents) if not place.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
