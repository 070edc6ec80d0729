"""Reading a request: bounded in size and time, JSON, of a known form."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from jaxosim.serve.challenge import Limits
from jaxosim.serve.errors import RefusedError

LONGEST_TEXT = 200  # of a version or a key


class Call:
    """A call that is answered with JSON, as an ASGI application.

    Refusals and errors are answered by the application's handlers.
    """

    def __init__(self, handle: Callable[[Request], Awaitable[Response]]) -> None:
        """Take the function that answers."""
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        response = await self._handle(Request(scope, receive))
        await response(scope, receive, send)


async def read_json(request: Request, limits: Limits) -> Any:
    """The body of a request.

    Raises:
      RefusedError: it is too large, too slow, of another type, or no JSON.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":  # what a page of another host cannot send without asking
        raise RefusedError(415, "expected Content-Type: application/json")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > limits.body_bytes:
        raise RefusedError(413, f"expected at most {limits.body_bytes} bytes")
    body, is_whole = b"", False
    try:
        async with asyncio.timeout(limits.body_seconds):
            while not is_whole:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError(400, "the client has gone")
                body += message.get("body", b"")
                if len(body) > limits.body_bytes:
                    raise RefusedError(413, f"expected at most {limits.body_bytes} bytes")
                is_whole = not message.get("more_body", False)
    except TimeoutError as error:
        raise RefusedError(408, f"expected the body within {limits.body_seconds:g} s") from error
    return parse(body)


def parse(text: bytes | str) -> Any:
    """JSON.

    Raises:
      RefusedError: it is none.
    """
    with contextlib.suppress(ValueError):
        return orjson.loads(text)
    try:  # takes NaN by name and whole numbers of any length, of which a check tells more
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"expected JSON: {str(error)[:LONGEST_TEXT]}") from error


def table(body: Any) -> dict[str, Any]:
    """A body that has to be an object.

    Raises:
      RefusedError: it is something else.
    """
    if not isinstance(body, dict):
        raise RefusedError(422, f"expected a JSON object, got {type(body).__name__}")
    return body


def text(body: dict[str, Any], name: str, default: str | None = None) -> str | None:
    """A short string in a body, or the default where it is missing.

    Raises:
      RefusedError: it is something else.
    """
    value = body.get(name, default)
    if value is not None and (not isinstance(value, str) or len(value) > LONGEST_TEXT):
        raise RefusedError(422, f"{name}: expected a string of at most {LONGEST_TEXT} characters")
    return value


def dump(answer: Any) -> bytes:
    """JSON; each number has as many digits as give it back to the bit."""
    text = orjson.dumps(answer, default=_plain)
    if b"null" in text:  # so it writes NaN and infinity, which Python's reader takes by name
        return json.dumps(answer, default=_plain, separators=(",", ":")).encode()
    return text


def _plain(value: Any) -> Any:
    """An array or a number of NumPy's or JAX's as Python's."""
    return np.asarray(value).tolist()


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(dump(body), status, media_type="application/json")
