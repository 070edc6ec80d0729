"""Idempotency keys of the requests that a submission has had answered."""

import array
import bisect
import hashlib

_SIZE = 8  # bytes kept of a key: two of a million share them with a probability of 3e-8


def _digest(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=_SIZE).digest())


class Keys:
    """A set of keys, of each of which a digest of eight bytes is kept.

    A server has thousands of requests of each submission to tell from new ones. One whose digest is
    that of another is taken for a repeated one.
    """

    def __init__(self) -> None:
        """No key."""
        self._digests = array.array("Q")  # ascending

    def __contains__(self, key: str) -> bool:
        """Whether a key was added."""
        digest = _digest(key)
        place = bisect.bisect_left(self._digests, digest)
        return place < len(self._digests) and self._digests[place] == digest

    def add(self, key: str) -> None:
        """Add a key."""
        bisect.insort(self._digests, _digest(key))
