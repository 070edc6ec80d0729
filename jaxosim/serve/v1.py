"""The HTTP interface of osim-rl's client: seven calls, each answered as that client expects.

The token is named once, at creation; later calls name the submission, which is as secret. A client
of ours sends the token with each, and a key with what must not be played twice.

Source: osim-rl 2.1 `osim.http.client`.
"""

from typing import Any

from starlette.routing import Route

from jaxosim.serve.requests import LONGEST_TEXT, Call, Reply, Request, table, text
from jaxosim.serve.service import Service
from jaxosim.serve.tokens import address_of, bearer_of, key_of


def routes(service: Service) -> list[Route]:
    """The calls."""

    async def body_and_instance(request: Request) -> tuple[Any, str]:
        body = await service.read(request)
        instance = request.path_params["instance"]
        token = bearer_of(request)
        if token is not None:
            account = service.gate.account_of(token, address_of(request))
            service.gate.check_owner(instance, account)
        service.gate.admit(service.gate.owner_of(instance))
        return body, instance

    async def create(request: Request) -> Reply:
        body = table(await service.read(request))
        account = service.gate.account_of(body.get("token"), address_of(request))
        version = str(body.get("version", ""))[:LONGEST_TEXT]
        env_id = text(body, "env_id")
        return Reply(await service.create(account, env_id, version, key_of(request)))

    async def reset(request: Request) -> Reply:
        _, instance = await body_and_instance(request)
        found = await service.reset(instance, key_of(request))
        return Reply({"observation": found["observation"]})

    async def step(request: Request) -> Reply:
        body, instance = await body_and_instance(request)
        found = await service.step(instance, table(body).get("action"), key_of(request))
        return Reply({name: found[name] for name in ("observation", "reward", "done", "info")})

    async def monitor_start(request: Request) -> Reply:
        """The folder that old clients name means nothing: results are in the database."""
        await body_and_instance(request)
        return Reply({})

    async def monitor_close(request: Request) -> Reply:
        _, instance = await body_and_instance(request)
        found = await service.close(instance)
        return Reply({"reward": found["reward"]})

    async def close(request: Request) -> Reply:
        _, instance = await body_and_instance(request)
        await service.close(instance)
        return Reply({})

    calls = {
        "/v1/envs/{instance}/step/": step,  # the most frequent first
        "/v1/envs/{instance}/reset/": reset,
        "/v1/envs/": create,
        "/v1/envs/{instance}/monitor/start/": monitor_start,
        "/v1/envs/{instance}/monitor/close/": monitor_close,
        "/v1/envs/{instance}/close/": close,
    }
    return [Route(path, Call(call), methods=["POST"]) for path, call in calls.items()]
