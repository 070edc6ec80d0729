"""The application: all interfaces, and every refusal as JSON with a sentence."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from jaxosim.serve import pages, v1, v2
from jaxosim.serve.errors import RefusedError
from jaxosim.serve.requests import Reply, reply_to
from jaxosim.serve.service import Service

_PLACE = 3  # of a submission among the parts of a path


class App:
    """The ASGI application of a challenge; its grader runs as long as the application does.

    Calls are found by their path at once; the way through Starlette would cost as much as a call.
    """

    def __init__(self, service: Service) -> None:
        """Take what answers."""
        self._service = service
        calls = [*v1.routes(service), *v2.routes(service)]
        self._calls = {
            route.path: route.app
            for route in calls
            if isinstance(route, Route) and "POST" in (route.methods or ())
        }
        self._rest = Starlette(
            routes=[*calls, *pages.routes(service)],
            lifespan=self._lifespan,
            exception_handlers={
                RefusedError: _failed,
                HTTPException: _not_found,
                Exception: _failed,
            },
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or play a WebSocket's part."""
        if scope["type"] == "http" and scope["method"] == "POST":
            path, instance = _form_of(scope["path"])
            if path in self._calls:
                scope["path_params"] = {"instance": instance}
                await self._calls[path](scope, receive, send)
                return
        await self._rest(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._service.grader.start()
        try:
            yield
        finally:
            self._service.grader.stop()
            self._service.database.close()


def _form_of(path: str) -> tuple[str, str]:
    """A path as a route has it, and the submission that it names."""
    parts = path.split("/")
    if len(parts) <= _PLACE + 1:  # nothing is asked of a submission
        return path, ""
    instance, parts[_PLACE] = parts[_PLACE], "{instance}"
    return "/".join(parts), instance


async def _not_found(request: Request, error: Exception) -> Reply:
    """An address or a method that there is not."""
    assert isinstance(error, HTTPException)
    return Reply({"message": error.detail}, error.status_code)


async def _failed(request: Request, error: Exception) -> Reply:
    """A page that was refused, or an error of ours."""
    return reply_to(error)
