"""The interface for new clients: batched steps, WebSocket, and its description."""

import json
import math

import numpy as np
import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim.osim_rl import Arm2DEnv
from jaxosim.serve import v1, v2
from jaxosim.serve.requests import dump
from tests.serve.running import Plain, arm_challenge, as_json, local_reset, serving

MANY = "[limits]\nopen_per_token = 100\ndaily_per_token = 1000\nrefusals_per_minute = 1000"
ACTIONS = [[0.1 * world, 0.9, 0.3, 0.2, 0.7, 0.5] for world in range(5)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    challenge = arm_challenge(tmp_path_factory.mktemp("arm"), MANY)
    with serving(challenge) as running:
        yield running


@pytest.fixture(scope="module")
def token(server):
    return server[0].database.add_account("ann")


@pytest.fixture(scope="module")
def described(server):
    status, found = Plain(server[1]).ask("GET", "/v2/openapi.json")
    assert status == 200
    return found


@pytest.fixture
def plain(server, token):
    return Plain(server[1], token)


def begin(plain):
    status, answer = plain.post("/v2/submissions", {"env_id": "Arm2DEnv"})
    assert status == 201
    return answer["submission"]


def check(described, path, method, status, answer):
    """Compare an answer with its description."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    content = described["paths"][path][method]["responses"][str(status)]["content"]
    schema = {**content["application/json"]["schema"], "components": described["components"]}
    jsonschema.validate(answer, schema)


def test_numbers_of_an_answer_come_back_to_the_bit():
    bits = np.random.default_rng(0).integers(0, 2**64, 10_000, np.uint64)
    numbers = bits.view(np.float64)  # of every order, some of them not finite
    numbers = [*numbers.tolist(), -0.0, 5e-324, math.inf, -math.inf, math.nan]
    for values in (numbers, [one for one in numbers if math.isfinite(one)]):
        found = json.loads(dump({"observation": values, "reward": np.float64(values[0])}))
        assert list(map(repr, found["observation"])) == list(map(repr, values))
        assert found["reward"] == values[0]


def test_every_route_is_described_and_every_description_has_a_route(server, described):
    routes = {
        (route.path, method.lower())
        for route in [*v1.routes(server[0]), *v2.routes(server[0])]
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD"
    }
    assert routes == {(path, way) for path, ways in described["paths"].items() for way in ways}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/submissions/x", 405),  # one part less than a call of a submission
        ("POST", "/v2/submissions/x/steps", 404),
        ("GET", "/v2/submissions/x/step", 405),
        ("POST", "/v1/envs/x", 404),
        ("POST", "/v1/envs/x/y/step/", 404),
        ("POST", "/v1/envs//step/", 404),
        ("POST", "/v3/envs/x/step/", 404),
    ],
)
def test_what_is_no_call_is_not_found(plain, method, path, status):
    found, answer = plain.ask(method, path, {})
    assert found == status and answer["message"]


def test_answers_are_as_described(described, plain):
    base = "/v2/submissions/{instance}"
    check(described, "/v2/challenge", "get", *plain.ask("GET", "/v2/challenge"))
    created = plain.post("/v2/submissions", {"env_id": "Arm2DEnv", "version": "1"})
    check(described, "/v2/submissions", "post", *created)
    own = f"/v2/submissions/{created[1]['submission']}"
    check(described, base, "get", *plain.ask("GET", own))
    check(described, f"{base}/reset", "post", *plain.post(f"{own}/reset", {}))
    step = plain.post(f"{own}/step", {"action": ACTIONS[0]})
    check(described, f"{base}/step", "post", *step)
    assert (step[1]["episode"], step[1]["step"]) == (0, 1)
    refused = plain.post(f"{own}/step", {"action": 1})
    check(described, f"{base}/step", "post", *refused)
    closed = plain.post(f"{own}/close", {})
    check(described, f"{base}/close", "post", *closed)
    assert closed[1] == {"reward": step[1]["reward"], "complete": False}


def test_the_seeds_are_not_shown(plain):
    _, shown = plain.ask("GET", "/v2/challenge")
    assert shown["episodes"] == 2 and "seeds" not in json.dumps(shown)


def test_steps_of_a_batch_are_those_of_single_worlds_to_the_bit(described, plain):
    """Five worlds, which the server carries together, each beside a local object."""
    names = [begin(plain) for _ in ACTIONS]
    locals_ = [Arm2DEnv() for _ in ACTIONS]
    for name, local in zip(names, locals_, strict=True):
        first = local_reset(local, 3)
        assert plain.post(f"/v2/submissions/{name}/reset", {})[1]["observation"] == first
    for _ in range(3):
        steps = [{"submission": n, "action": a} for n, a in zip(names, ACTIONS, strict=True)]
        answer = plain.post("/v2/steps", {"steps": steps})
        check(described, "/v2/steps", "post", *answer)
        for action, local, found in zip(ACTIONS, locals_, answer[1]["results"], strict=True):
            observation, reward, done, _ = local.step(action)
            assert [found["observation"], found["reward"]] == as_json([observation, reward])
            assert found["done"] is done
    for name in names:
        plain.post(f"/v2/submissions/{name}/close", {})


def test_in_a_batch_each_step_has_an_answer_of_its_own(described, plain):
    name = begin(plain)
    plain.post(f"/v2/submissions/{name}/reset", {})
    good = {"submission": name, "action": ACTIONS[0], "key": "a"}
    steps = [good, {**good, "submission": "0"}, {"action": 1}, 7, good]
    answer = plain.post("/v2/steps", {"steps": steps})
    check(described, "/v2/steps", "post", *answer)
    first, unknown, nameless, number, again = answer[1]["results"]
    assert first["step"] == 1 and again == first
    assert [one["error"]["status"] for one in (unknown, nameless, number)] == [404, 404, 422]
    assert plain.post("/v2/steps", {"steps": "all"})[0] == 422
    plain.post(f"/v2/submissions/{name}/close", {})


def test_requests_that_are_at_hand_together_are_handed_over_as_one_message(
    server, plain, monkeypatch
):
    name, counts = begin(plain), []
    submit = server[0].grader.submit
    monkeypatch.setattr(
        server[0].grader, "submit", lambda some: counts.append(len(some)) or submit(some)
    )
    plain.post(f"/v2/submissions/{name}/reset", {})
    plain.post("/v2/steps", {"steps": [{"submission": name, "action": ACTIONS[0]}] * 4})
    plain.post(f"/v2/submissions/{name}/close", {})
    assert counts == [1, 4, 1]


def test_more_requests_than_can_wait_are_refused_and_the_next_are_answered(plain, monkeypatch):
    name = begin(plain)
    plain.post(f"/v2/submissions/{name}/reset", {})
    step = {"submission": name, "action": ACTIONS[0]}
    with monkeypatch.context() as limited:
        limited.setattr("jaxosim.serve.service._MOST_ASKING", 2)
        results = plain.post("/v2/steps", {"steps": [step] * 3})[1]["results"]
        assert [one["step"] for one in results[:2]] == [1, 2]
        assert results[2]["error"]["status"] == 503
        assert plain.post("/v2/steps", {"steps": [step]})[1]["results"][0]["step"] == 3
    plain.post(f"/v2/submissions/{name}/close", {})


def test_others_submissions_do_not_exist(server, plain):
    name = begin(plain)
    other = Plain(server[1], server[0].database.add_account("bob"))
    for path in ("reset", "step", "close"):
        status, _ = other.post(f"/v2/submissions/{name}/{path}", {"action": ACTIONS[0]})
        assert status == 404
    assert other.ask("GET", f"/v2/submissions/{name}")[0] == 404
    assert other.post(f"/v1/envs/{name}/reset/")[0] == 404
    steps = [{"submission": name, "action": ACTIONS[0]}]
    assert other.post("/v2/steps", {"steps": steps})[1]["results"][0]["error"]["status"] == 404
    assert Plain(server[1]).ask("GET", f"/v2/submissions/{name}")[0] == 401
    plain.post(f"/v2/submissions/{name}/close", {})


def test_a_websocket_plays_an_episode(server, plain, token):
    sync = pytest.importorskip("websockets.sync.client")
    name = begin(plain)
    local = Arm2DEnv()
    with sync.connect(f"ws://127.0.0.1:{server[1]}/v2/socket") as socket:

        def ask(**message):
            socket.send(json.dumps(message))
            return json.loads(socket.recv())

        assert ask(token=token) == {"account": "ann"}
        first = ask(call="reset", submission=name, key="a")
        assert first["observation"] == local_reset(local, 3)
        step = ask(call="step", submission=name, action=ACTIONS[1], key="b")
        assert step["reward"] == local.step(ACTIONS[1])[1]
        assert ask(call="step", submission=name, action=ACTIONS[1], key="b") == step
        assert ask(call="step", submission=name, action=[1])["error"]["status"] == 422
        assert ask(call="open", submission=name)["error"]["status"] == 422
        assert ask(call="status", submission=name)["step"] == 1
        assert ask(call="close", submission=name)["reward"] == step["reward"]


@pytest.mark.parametrize("first", ['{"token": "nobody"}', "no JSON", "[1]"])
def test_a_websocket_without_a_token_is_closed(server, first):
    sync = pytest.importorskip("websockets.sync.client")
    from websockets.exceptions import ConnectionClosed

    with sync.connect(f"ws://127.0.0.1:{server[1]}/v2/socket") as socket:
        socket.send(first)
        assert "error" in json.loads(socket.recv())
        with pytest.raises(ConnectionClosed):
            socket.recv()


def test_a_websocket_of_a_page_of_another_host_is_refused(server):
    sync = pytest.importorskip("websockets.sync.client")
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus):
        sync.connect(f"ws://127.0.0.1:{server[1]}/v2/socket", origin="http://other.example")
