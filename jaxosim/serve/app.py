"""The application: all interfaces, and every refusal as JSON with a sentence."""

import contextlib
import logging
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from jaxosim.serve import pages, v1, v2
from jaxosim.serve.errors import RefusedError
from jaxosim.serve.requests import answer
from jaxosim.serve.service import Service

_log = logging.getLogger(__name__)


def make_app(service: Service) -> Starlette:
    """The ASGI application of a challenge; its grader runs as long as the application does."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.grader.start()
        try:
            yield
        finally:
            service.grader.stop()
            service.database.close()

    return Starlette(
        routes=[*v1.routes(service), *v2.routes(service), *pages.routes(service)],
        lifespan=lifespan,
        exception_handlers={
            RefusedError: _refused,
            HTTPException: _not_found,
            Exception: _failed,
        },
    )


async def _refused(request: Request, error: Exception) -> Response:
    """A request that was refused."""
    assert isinstance(error, RefusedError)
    response = answer({"message": error.message}, error.status)
    if error.status in (408, 413):  # what is left of the body would be taken for a request
        response.headers["connection"] = "close"
    return response


async def _not_found(request: Request, error: Exception) -> Response:
    """An address or a method that there is not."""
    assert isinstance(error, HTTPException)
    return answer({"message": error.detail}, error.status_code)


async def _failed(request: Request, error: Exception) -> Response:
    """An error of ours."""
    _log.error("a request has failed", exc_info=error)
    return answer({"message": "the server has failed; its keeper finds why in its log"}, 500)
