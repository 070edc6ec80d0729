"""A server that is killed has lost no acknowledged step, and a client goes on where it stood."""

import signal
import sqlite3
import threading
import time

import numpy as np
import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim.osim_rl import Arm2DEnv
from jaxosim.osim_rl.http import Client
from jaxosim.serve.database import Database
from tests.serve.running import arm_challenge, local_reset, process

STEPS = 60


@pytest.mark.thorough
def test_a_client_goes_on_after_the_server_was_killed_twice(tmp_path):
    text = f'task = "Arm2DEnv"\nseeds = [3, 5]\n[options]\ntime_limit = {STEPS}'
    challenge = arm_challenge(tmp_path, text=text)
    database = Database(challenge.database)
    token = database.add_account("ann")
    database.close()
    path = tmp_path / "challenge.toml"
    answers, actions = [], np.random.default_rng(0).uniform(size=(2 * STEPS, 6))
    local = Arm2DEnv()
    local.spec.timestep_limit = STEPS

    def play(port):
        client = Client(f"http://127.0.0.1:{port}", patience=100)
        observation = client.env_create(token, "Arm2DEnv")
        for action in actions:
            answers.append((observation, client.env_step(action)))
            time.sleep(0.005)
            observation = client.env_reset() if answers[-1][1][2] else None
        answers.append(client.submit())

    with process(path) as (first, port):
        player = threading.Thread(target=play, args=[port])
        player.start()
        wait_for(answers, 20)
        first.kill()
    known = len(answers)
    with process(path, port) as (second, _):
        wait_for(answers, STEPS + 20)
        second.kill()
    assert known < STEPS + 20 <= len(answers) < 2 * STEPS
    with process(path, port):
        player.join(100)
    total, first = 0.0, None
    for seed, episode in zip((3, 5), (answers[:STEPS], answers[STEPS : 2 * STEPS]), strict=True):
        first = local_reset(local, seed)
        assert episode[0][0] == first
        for action, (_, answer) in zip(actions[:STEPS], episode, strict=True):
            assert answer == local.step(action)
            total += answer[1]
        actions = actions[STEPS:]
    assert answers[-1] == total
    connection = sqlite3.connect(challenge.database)
    count = connection.execute("SELECT count(*), count(DISTINCT key) FROM step").fetchone()
    connection.close()
    assert count == (2 * STEPS, 2 * STEPS)


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.thorough), signal.SIGTERM]
)
def test_a_server_that_is_asked_to_stop_stops(tmp_path, number):
    arm_challenge(tmp_path)
    with process(tmp_path / "challenge.toml") as (server, _):
        server.send_signal(number)
        assert server.wait(100) in (0, -number)


def wait_for(answers, count):
    end = time.monotonic() + 100
    while len(answers) < count:
        assert time.monotonic() < end, f"{len(answers)} answers"
        time.sleep(0.002)
