"""The server of a challenge: osim-rl's protocol, its numbers, and what it stores."""

import math
import sqlite3

import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim.osim_rl import Arm2DEnv
from jaxosim.osim_rl.http import Client, RequestError, TokenError
from tests.serve.running import (
    ARM_STEPS,
    Plain,
    arm_challenge,
    as_json,
    local_reset,
    serving,
)

MANY = "[limits]\nopen_per_token = 100\ndaily_per_token = 1000\nrefusals_per_minute = 1000"
ACTION = [0.1, 0.9, 0.3, -2.0, 7.0, 0.5]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    challenge = arm_challenge(tmp_path_factory.mktemp("arm"), MANY)
    with serving(challenge) as running:
        yield running


@pytest.fixture(scope="module")
def token(server):
    return server[0].database.add_account("ann")


@pytest.fixture
def client(server, token):
    return Client(f"http://127.0.0.1:{server[1]}", patience=20)


def begin(server, token):
    plain = Plain(server[1])
    body = {"env_id": "Arm2DEnv", "token": token, "version": "2.1.5"}
    status, answer = plain.post("/v1/envs/", body)
    assert status == 200
    return plain, f"/v1/envs/{answer['instance_id']}"


def rows(server, query):
    connection = sqlite3.connect(server[0].database.path)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def test_whole_episodes_are_the_local_class_s_to_the_bit(server, token):
    local, total = Arm2DEnv(), 0.0
    local.spec.timestep_limit = ARM_STEPS
    plain, base = begin(server, token)
    start = {"directory": "/etc", "force": True, "resume": False, "video_callable": False}
    assert plain.post(f"{base}/monitor/start/", start) == (200, {})
    for seed in server[0].challenge.seeds:
        first = local_reset(local, seed)
        assert plain.post(f"{base}/reset/") == (200, {"observation": first})
        done = False
        while not done:
            answer = plain.post(f"{base}/step/", {"action": ACTION, "render": True})
            observation, reward, done, info = local.step(ACTION)
            expected = {"observation": observation, "reward": reward, "done": done, "info": info}
            assert answer == (200, as_json(expected))
            total += reward
    assert plain.post(f"{base}/reset/") == (200, {"observation": []})
    assert plain.post(f"{base}/monitor/close/") == (200, {"reward": total})
    assert plain.post(f"{base}/close/") == (200, {})
    instance = base.rsplit("/", 1)[1]
    stored = rows(server, f"SELECT total, complete FROM submission WHERE instance = '{instance}'")
    assert stored == [(total, 1)]


def test_our_client_has_osim_rl_s_methods(client, token, capsys):
    observation, total = client.env_create(token, "Arm2DEnv"), 0.0
    assert len(observation) == 16
    while observation:
        observation, reward, done, info = client.env_step(ACTION, True)
        total += reward
        assert info == {}
        if done:
            observation = client.env_reset()
    assert client.submit() == total
    assert f"{total:f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ([0.5] * 5, "got 5 entries"),
        ([0.5] * 5 + [math.nan], "got nan at 5"),
        ([0.5] * 5 + [math.inf], "got inf at 5"),
        ([1e30] * 6, "got 1e+30 at 0"),
        ([[0.5]] * 6, "got list at 0"),
        (["0.5"] * 6, "got str at 0"),
        ([True] * 6, "got bool at 0"),
        ({"a": 1}, "got dict"),
        (None, "got NoneType"),
        ([10**400] * 6, "expected"),
    ],
)
def test_a_wrong_action_is_refused_with_a_sentence_and_the_episode_goes_on(
    server, token, action, words
):
    plain, base = begin(server, token)
    plain.post(f"{base}/reset/")
    status, answer = plain.post(f"{base}/step/", {"action": action})
    assert status == 422 and words in answer["message"]
    assert plain.post(f"{base}/step/", {"action": ACTION})[0] == 200
    plain.post(f"{base}/close/")


def test_a_repeated_request_is_answered_again_and_not_played_twice(server, token):
    plain, base = begin(server, token)
    first = plain.post(f"{base}/reset/", Idempotency_Key="a")
    assert plain.post(f"{base}/reset/", Idempotency_Key="a") == first
    step = plain.post(f"{base}/step/", {"action": ACTION}, Idempotency_Key="b")
    assert plain.post(f"{base}/step/", {"action": ACTION}, Idempotency_Key="b") == step
    other = plain.post(f"{base}/step/", {"action": ACTION}, Idempotency_Key="c")
    assert other != step
    status, answer = plain.post(f"{base}/step/", {"action": ACTION}, Idempotency_Key="b")
    assert status == 409 and "answered before" in answer["message"]
    instance = base.rsplit("/", 1)[1]
    query = f"""SELECT step.key FROM step JOIN submission ON submission.id = step.submission
        WHERE instance = '{instance}' ORDER BY number"""
    assert rows(server, query) == [("b",), ("c",)]
    body = {"env_id": "Arm2DEnv", "token": token}
    again = [plain.post("/v1/envs/", body, Idempotency_Key="d") for _ in range(2)]
    assert again[0] == again[1]


def test_closing_twice_gives_the_same_total_and_then_nothing_goes_on(server, token):
    plain, base = begin(server, token)
    plain.post(f"{base}/reset/")
    _, step = plain.post(f"{base}/step/", {"action": ACTION})
    for _ in range(2):
        assert plain.post(f"{base}/monitor/close/") == (200, {"reward": step["reward"]})
    status, answer = plain.post(f"{base}/step/", {"action": ACTION})
    assert status == 409 and "closed" in answer["message"]


def test_a_step_without_an_episode_is_refused(server, token):
    plain, base = begin(server, token)
    status, answer = plain.post(f"{base}/step/", {"action": ACTION})
    assert status == 409 and "has not begun" in answer["message"]
    plain.post(f"{base}/reset/")
    for _ in range(ARM_STEPS):
        plain.post(f"{base}/step/", {"action": ACTION})
    status, answer = plain.post(f"{base}/step/", {"action": ACTION})
    assert status == 409 and "has ended" in answer["message"]
    plain.post(f"{base}/close/")


def test_errors_of_our_client_are_typed(server, client, token):
    with pytest.raises(TokenError, match="given out") as error:
        client.env_create("nobody", "Arm2DEnv")
    assert error.value.status_code == 401
    with pytest.raises(RequestError, match="expected 'Arm2DEnv', got 'Run'"):
        client.env_create(token, "Run")
    client.env_create(token, "Arm2DEnv")
    with pytest.raises(RequestError, match="got nan at 0"):
        client.env_step([math.nan] * 6)
    client.env_close()
    with pytest.raises(ValueError, match="remote_base: expected"):
        Client("127.0.0.1:8000")
    with pytest.raises(RuntimeError, match="env_create"):
        Client("http://127.0.0.1:1").env_step(ACTION)


def test_tokens_are_stored_as_digests(server, token):
    (stored,) = rows(server, "SELECT token_hash FROM account WHERE name = 'ann'")
    assert token not in stored[0] and len(stored[0]) == 64


def test_results_of_another_challenge_are_refused(server, tmp_path):
    from jaxosim.serve.database import Database
    from jaxosim.serve.errors import ChallengeError

    database = Database(server[0].database.path)
    with pytest.raises(ChallengeError, match="found those of another"):
        database.claim(arm_challenge(tmp_path, text='task = "Arm2DEnv"\nseeds = [4]'))
    database.close()
