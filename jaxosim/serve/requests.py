"""Reading a request, bounded in size and time, JSON of a known form; and answering it."""

import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from jaxosim.serve.challenge import Limits
from jaxosim.serve.deadlines import Deadlines
from jaxosim.serve.errors import RefusedError

_log = logging.getLogger(__name__)
LONGEST_TEXT = 200  # of a version or a key


class Request:
    """What a call reads of an HTTP request; to make Starlette's costs more than most calls.

    Attributes:
      headers: by their names in small letters; of several of a name the first.
      path_params: parts of the path that stand for something, by name.
      client: host and port, None where they are not known.
      receive: of ASGI.
    """

    __slots__ = ("client", "headers", "path_params", "receive")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        """Take what ASGI tells."""
        headers = reversed(scope["headers"])
        self.headers = {name.decode("latin-1"): one.decode("latin-1") for name, one in headers}
        self.path_params: dict[str, Any] = scope["path_params"]
        self.client: tuple[str, int] | None = scope["client"]
        self.receive = receive


class Reply(Response):
    """A JSON answer; what Starlette's own does beside is not needed here."""

    def __init__(self, body: Any, status: int = 200, *, closes: bool = False) -> None:
        """Take the answer; `closes` ends the connection."""
        self.status_code, self.body, self.background = status, dump(body), None
        length = b"%d" % len(self.body)
        self.raw_headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        self.raw_headers += [(b"connection", b"close")] if closes else []


class Call:
    """A call that is answered with JSON, as an ASGI application; errors are answers as well."""

    def __init__(self, handle: Callable[[Request], Awaitable[Reply]]) -> None:
        """Take the function that answers."""
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            reply = await self._handle(Request(scope, receive))
        except Exception as error:
            reply = reply_to(error)
        await reply(scope, receive, send)


def reply_to(error: Exception) -> Reply:
    """The answer to a request that was refused, or in which an error of ours came up."""
    if isinstance(error, RefusedError):  # of 408 and 413 the rest would be taken for a request
        return Reply({"message": error.message}, error.status, closes=error.status in (408, 413))
    _log.error("a request has failed", exc_info=error)
    return Reply({"message": "the server has failed; its keeper finds why in its log"}, 500)


async def read_json(request: Request, limits: Limits, deadlines: Deadlines) -> Any:
    """The body of a request.

    Args:
      request: whose body is read.
      limits: of the challenge.
      deadlines: after `body_seconds`.

    Raises:
      RefusedError: it is too large, too slow, of another type, or no JSON.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":  # what a page of another host cannot send without asking
        raise RefusedError(415, "expected Content-Type: application/json")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > limits.body_bytes:
        raise RefusedError(413, f"expected at most {limits.body_bytes} bytes")
    try:
        return parse(await deadlines.within(_body(request, limits.body_bytes)))
    except TimeoutError as error:
        raise RefusedError(408, f"expected the body within {limits.body_seconds:g} s") from error


async def _body(request: Request, most: int) -> bytes:
    """All parts of a body.

    Raises:
      RefusedError: there are too many bytes, or the client has gone.
    """
    body = b""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "the client has gone")
        body += message.get("body", b"")
        if len(body) > most:
            raise RefusedError(413, f"expected at most {most} bytes")
        if not message.get("more_body", False):
            return body


def parse(text: bytes | str) -> Any:
    """JSON.

    Raises:
      RefusedError: it is none.
    """
    with contextlib.suppress(ValueError):
        return orjson.loads(text)
    try:  # takes NaN by name and whole numbers of any length, of which a check tells more
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # fails for halves of characters
        return found
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
