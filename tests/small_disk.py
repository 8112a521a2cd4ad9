"""Using up a disk, such as of the fixture `disk`."""

import os


def fill(folder, leave=0):
    """Uses the disk up, but for some bytes; returns the file that does."""
    path = folder / "filler"
    free = os.statvfs(folder)
    path.write_bytes(b"x" * (free.f_bavail * free.f_frsize - leave))
    return path
