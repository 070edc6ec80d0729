"""A full disk, for tests of what is written."""

import contextlib

import pytest


@contextlib.contextmanager
def full_disk(free=256):
    """Let no file of this process, or of one it starts, grow beyond so many bytes.

    Writing then ends in an OSError, as on a full disk. Skips where the system knows no such limit.
    What is compiled meanwhile would be cached in part, so compile before.
    """
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
