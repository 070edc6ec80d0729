"""What a request's headers say of who sends it."""

from starlette.websockets import WebSocket

from jaxosim.serve.errors import RefusedError
from jaxosim.serve.requests import LONGEST_TEXT, Request

_SCHEME = "bearer "


def address_of(request: Request | WebSocket) -> str:
    """The address from which a request comes."""
    return request.client[0] if request.client else ""


def bearer_of(request: Request | WebSocket) -> str | None:
    """The token of `Authorization: Bearer TOKEN`, None without this header."""
    given = request.headers.get("authorization")
    if given is None:
        return None
    return given[len(_SCHEME) :].strip() if given.lower().startswith(_SCHEME) else ""


def key_of(request: Request) -> str | None:
    """The idempotency key of a request; None without one.

    Raises:
      RefusedError: it is too long.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_TEXT:
        raise RefusedError(422, f"Idempotency-Key: expected 1 to {LONGEST_TEXT} characters")
    return key
