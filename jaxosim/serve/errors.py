"""Requests that are refused: each with its HTTP status and a sentence."""

from jaxosim.errors import JaxosimError


class RefusedError(JaxosimError):
    """A request is refused.

    Attributes:
      status: of HTTP.
      message: says what was expected.
    """

    def __init__(self, status: int, message: str) -> None:
        """Hold both."""
        super().__init__(message)
        self.status = status
        self.message = message


class ChallengeError(JaxosimError, ValueError):
    """A challenge file is wrong: the message names file, key and what was expected."""
