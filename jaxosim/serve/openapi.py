"""The description of the HTTP interfaces, after OpenAPI 3.1."""

from typing import Any

import jaxosim

_NUMBER, _TEXT, _FLAG = {"type": "number"}, {"type": "string"}, {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}
_OBSERVATION = {
    "description": "an array of numbers, or nested objects, as the local class gives it; empty "
    "where no episode is left",
    "type": ["array", "object"],
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "names this request: sent again, it is answered again and not played twice",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}
_REFUSALS = {
    "401": "the token is none, or has been revoked",
    "404": "there is no such submission of this token",
    "409": "the episode has ended, the submission is closed, or the request was answered before",
    "413": "the request is too large",
    "422": "the request has another form than expected; the episode goes on",
    "429": "a limit has been reached",
    "503": "no answer in time, or results cannot be stored: repeat the request with its key",
}


def description(action_size: int) -> dict[str, Any]:
    """The description of a challenge's server.

    Args:
      action_size: length of an action.
    """
    action = {
        "type": "array",
        "items": _NUMBER,
        "minItems": action_size,
        "maxItems": action_size,
        "description": "excitations, clipped to [0, 1]",
    }
    step = _object({"action": action})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jaxosim: remote grading",
            "version": jaxosim.__version__,
            "description": "/v1 is osim-rl's, unchanged; /v2 is for new clients. /v2/socket is a "
            "WebSocket: send {token}, then {call: reset | step | close | status, submission, "
            "action, key}; each message has one answer, that of the HTTP call.",
        },
        "paths": {**_first_paths(action), **_second_paths(action, step)},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _schemas() -> dict[str, Any]:
    """What is answered."""
    step = {
        "observation": _OBSERVATION,
        "reward": _NUMBER,
        "done": _FLAG,
        "info": {"type": "object"},
    }
    place = {"episode": _COUNT, "step": _COUNT}
    return {
        "Error": _object({"message": _TEXT}),
        "Created1": _object({"instance_id": _TEXT}),
        "Reset1": _object({"observation": _OBSERVATION}),
        "Step1": _object(step),
        "Closed1": _object({"reward": {"type": ["number", "null"]}}),
        "Empty": _object({}),
        "Challenge": _object(
            {
                **{name: _TEXT for name in ("name", "env_id", "precision")},
                "options": {"type": "object"},
                "accuracy": _NUMBER,
                **{name: _COUNT for name in ("episodes", "time_limit", "action_size")},
                **{name: {"type": ["string", "null"]} for name in ("opens", "closes")},
            }
        ),
        "Created": _object({"submission": _TEXT}),
        "Status": _object(
            {
                **place,
                "episode": {"type": "integer", "minimum": -1},
                "done": _FLAG,
                "total": _NUMBER,
                "episodes": _COUNT,
            }
        ),
        "Reset": _object({"observation": _OBSERVATION, "episode": {"type": ["integer", "null"]}}),
        "Step": _object({**step, **place}),
        "Closed": _object({"reward": _NUMBER, "complete": _FLAG}),
        "Steps": _object(
            {"results": {"type": "array", "items": {"anyOf": [_ref("Step"), _ref("Refusal")]}}}
        ),
        "Refusal": _object({"error": _object({"status": _COUNT, "message": _TEXT})}),
    }


def _first_paths(action: dict[str, Any]) -> dict[str, Any]:
    """The calls of osim-rl's client."""
    created = _object({"env_id": _TEXT, "token": _TEXT, "version": _TEXT}, ("env_id", "token"))
    step = _object({"action": action, "render": _FLAG}, ("action",))
    monitor = _object(
        {"directory": _TEXT, "force": _FLAG, "resume": _FLAG, "video_callable": {}}, ()
    )
    null = {"type": ["null", "object"]}
    base = "/v1/envs/{instance}"
    calls = {
        "/v1/envs/": ("Begin a submission", created, "Created1"),
        f"{base}/reset/": ("Begin the next episode", null, "Reset1"),
        f"{base}/step/": ("One control step", step, "Step1"),
        f"{base}/monitor/start/": ("Nothing: everything is kept", monitor, "Empty"),
        f"{base}/monitor/close/": ("End a submission: its score", null, "Closed1"),
        f"{base}/close/": ("End a submission", null, "Empty"),
    }
    return {
        path: {"post": _operation(summary, body, result, path)}
        for path, (summary, body, result) in calls.items()
    }


def _second_paths(action: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    """The calls of new clients."""
    base, nothing = "/v2/submissions/{instance}", _object({})
    created = _object({"env_id": _TEXT, "version": _TEXT}, ("env_id",))
    one = _object({"submission": _TEXT, "action": action, "key": _TEXT}, ("submission", "action"))
    many = _object({"steps": {"type": "array", "items": one, "maxItems": 256}})
    free = _operation("This description", None, None, "")
    posts = {
        "/v2/submissions": ("Begin a submission", created, "Created"),
        f"{base}/reset": ("Begin the next episode", nothing, "Reset"),
        f"{base}/step": ("One control step", step, "Step"),
        f"{base}/close": ("End a submission", nothing, "Closed"),
        "/v2/steps": ("A control step of many submissions", many, "Steps"),
    }
    found = {
        path: {"post": _operation(summary, body, result, path, secured=True)}
        for path, (summary, body, result) in posts.items()
    }
    status = _operation("Where a submission stands", None, "Status", base, secured=True)
    challenge = _operation("What is graded", None, "Challenge", "")
    gets = {base: status, "/v2/challenge": challenge, "/v2/openapi.json": free}
    return {**found, **{path: {"get": one} for path, one in gets.items()}}


def _operation(
    summary: str, body: Any, result: str | None, path: str, secured: bool = False
) -> dict[str, Any]:
    """One call."""
    good = "201" if result == "Created" else "200"
    schema = _ref(result) if result else {"type": "object"}
    found: dict[str, Any] = {
        "summary": summary,
        "responses": {good: {"description": summary, **_json(schema)}},
    }
    instance = {"name": "instance", "in": "path", "required": True, "schema": _TEXT}
    parameters = [instance] if "{instance}" in path else []
    if body is not None:
        found["requestBody"] = {"required": True, **_json(body)}
        parameters.append(_KEY)
    if path:
        refusals = {
            status: {"description": why, **_json(_ref("Error"))}
            for status, why in _REFUSALS.items()
        }
        found["responses"] |= refusals
    if parameters:
        found["parameters"] = parameters
    if secured:
        found["security"] = [{"token": []}]
    return found


def _object(properties: dict[str, Any], required: tuple[str, ...] | None = None) -> dict[str, Any]:
    """An object, all of whose properties are there unless told otherwise."""
    names = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties, "required": names}


def _ref(name: str) -> dict[str, str]:
    """A schema by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Any) -> dict[str, Any]:
    """Content of this schema."""
    return {"content": {"application/json": {"schema": schema}}}
