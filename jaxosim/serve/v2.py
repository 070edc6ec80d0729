"""The interface for new clients: a token with every request, many steps in one, a WebSocket.

`openapi.py` describes it; the server gives the description at `/v2/openapi.json`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from jaxosim.serve.database import Account
from jaxosim.serve.errors import RefusedError
from jaxosim.serve.openapi import description
from jaxosim.serve.requests import Call, Reply, Request, dump, parse, table, text
from jaxosim.serve.service import Service
from jaxosim.serve.tokens import address_of, bearer_of, key_of

MOST_STEPS = 256  # of one request
_OTHER_HOST = 1008  # WebSocket: policy violation


def routes(service: Service) -> list[BaseRoute]:
    """The calls."""
    calls = Calls(service)
    gets = {
        "/v2/openapi.json": calls.openapi,
        "/v2/challenge": calls.challenge,
        "/v2/submissions/{instance}": calls.status,
    }
    posts = {
        "/v2/submissions/{instance}/step": calls.step,
        "/v2/steps": calls.steps,
        "/v2/submissions/{instance}/reset": calls.reset,
        "/v2/submissions/{instance}/close": calls.close,
        "/v2/submissions": calls.create,
    }
    return [
        *(Route(path, Call(call), methods=["POST"]) for path, call in posts.items()),
        *(Route(path, Call(call), methods=["GET"]) for path, call in gets.items()),
        WebSocketRoute("/v2/socket", calls.socket),
    ]


class Calls:
    """The calls of one service."""

    def __init__(self, service: Service) -> None:
        """Nothing has been asked."""
        self._service = service
        self._operations: dict[str, Callable[[str, dict[str, Any]], Awaitable[Any]]] = {
            "reset": lambda instance, body: service.reset(instance, text(body, "key")),
            "step": lambda instance, body: service.step(
                instance, body.get("action"), text(body, "key")
            ),
            "close": lambda instance, body: service.close(instance),
            "status": lambda instance, body: service.status(instance),
        }

    async def openapi(self, request: Request) -> Reply:
        """The description of both interfaces."""
        return Reply(description(self._service.grader.action_size))

    async def challenge(self, request: Request) -> Reply:
        """What is graded, but for the seeds."""
        challenge, grader = self._service.challenge, self._service.grader
        moments = {"opens": challenge.opens, "closes": challenge.closes}
        return Reply(
            {
                "name": challenge.name,
                "env_id": challenge.task,
                "options": dict(challenge.options),
                "accuracy": challenge.accuracy,
                "precision": challenge.precision,
                "episodes": len(challenge.seeds),
                "time_limit": grader.time_limit,
                "action_size": grader.action_size,
                **{name: at and at.isoformat() for name, at in moments.items()},
            }
        )

    async def create(self, request: Request) -> Reply:
        """Begin a submission."""
        account, body = await self._read(request)
        client = text(body, "version", "") or ""
        found = await self._service.create(account, body.get("env_id"), client, key_of(request))
        return Reply({"submission": found["instance_id"]}, 201)

    async def status(self, request: Request) -> Reply:
        """Where a submission stands."""
        given = {"submission": request.path_params["instance"]}
        return Reply(await self._one(self._account(request), "status", given))

    async def reset(self, request: Request) -> Reply:
        """Begin the next episode."""
        return Reply(await self._about(request, "reset"))

    async def step(self, request: Request) -> Reply:
        """One control step."""
        return Reply(await self._about(request, "step"))

    async def close(self, request: Request) -> Reply:
        """End a submission."""
        return Reply(await self._about(request, "close"))

    async def steps(self, request: Request) -> Reply:
        """A control step of many submissions; each has an answer of its own."""
        account, body = await self._read(request)
        steps = body.get("steps")
        if not isinstance(steps, list) or len(steps) > MOST_STEPS:
            raise RefusedError(422, f"steps: expected an array of at most {MOST_STEPS} objects")
        results = await asyncio.gather(*(self._guarded(account, "step", one) for one in steps))
        return Reply({"results": results})

    async def socket(self, socket: WebSocket) -> None:
        """Messages in, one answer to each, in order; the first one may hold the token."""
        origin = socket.headers.get("origin")
        if origin is not None and origin.split("://")[-1] != socket.headers.get("host"):
            await socket.close(_OTHER_HOST)  # a page of another host, in the user's browser
            return
        await socket.accept()
        account: Account | None = None
        try:
            if bearer_of(socket) is not None:
                account = self._account(socket)
            while True:
                body = table(parse(await socket.receive_text()))
                if account is None:
                    token, where = body.get("token"), address_of(socket)
                    account = self._service.gate.account_of(token, where)
                    found: dict[str, Any] = {"account": account.name}
                else:
                    found = await self._guarded(account, body.get("call"), body)
                await socket.send_text(dump(found).decode())
        except RefusedError as error:
            await socket.send_text(dump(_refusal(error)).decode())
            await socket.close(_OTHER_HOST)
        except (WebSocketDisconnect, KeyError):  # KeyError: a binary message
            return

    # --------------------------------------------------------------------------- machinery

    def _account(self, request: Request | WebSocket) -> Account:
        """Whose token a request carries."""
        return self._service.gate.account_of(bearer_of(request), address_of(request))

    async def _read(self, request: Request) -> tuple[Account, dict[str, Any]]:
        """Account and body; the account first, so that strangers send no bodies."""
        account = self._account(request)
        return account, table(await self._service.read(request))

    async def _about(self, request: Request, operation: str) -> Any:
        """The answer to a request about a submission."""
        account, body = await self._read(request)
        given = {**body, "submission": request.path_params["instance"], "key": key_of(request)}
        return await self._one(account, operation, given)

    async def _one(self, account: Account, operation: str, body: dict[str, Any]) -> Any:
        """The answer to an operation on a submission.

        Raises:
          RefusedError: there is no such operation, or no such submission of this account, or it has
            asked too often.
        """
        self._service.gate.admit(account.id)
        if not isinstance(operation, str) or operation not in self._operations:
            known = ", ".join(self._operations)
            raise RefusedError(422, f"call: expected one of {known}")
        instance = text(body, "submission") or ""
        self._service.gate.check_owner(instance, account)
        return await self._operations[operation](instance, body)

    async def _guarded(self, account: Account, operation: Any, body: Any) -> Any:
        """The same, a refusal as an answer."""
        try:
            return await self._one(account, operation, table(body))
        except RefusedError as error:
            return _refusal(error)


def _refusal(error: RefusedError) -> dict[str, Any]:
    """A refusal as JSON."""
    return {"error": {"status": error.status, "message": error.message}}
