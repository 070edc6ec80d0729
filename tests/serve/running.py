"""A running server for the tests, and a client after the documented protocol."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ARM = """
name = "Reach <b>"
task = "Arm2DEnv"
seeds = [3, 5]

[options]
time_limit = 6
"""
ARM_STEPS = 6


def arm_challenge(folder, more="", text=ARM):
    from jaxosim.serve.challenge import read_challenge

    path = folder / "challenge.toml"
    path.write_text(text + more, encoding="utf-8")
    return read_challenge(path)


@contextlib.contextmanager
def serving(challenge):
    """The service and its port, within this process."""
    import uvicorn

    from jaxosim.serve.app import App
    from jaxosim.serve.service import Service

    service = Service(challenge)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        App(service), log_level="critical", access_log=False, timeout_keep_alive=600
    )  # a test on a busy machine may be silent for long
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield service, listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)


@contextlib.contextmanager
def process(path, port=0):
    """`jaxosim serve` as a process of its own, and its port."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from jaxosim.cli.__main__ import main; main()"
    )  # a background job ignores the signal, and so do its children
    command = [sys.executable, "-c", code, "serve", str(path), "--port", str(port)]
    fast = os.environ | {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    server = subprocess.Popen(command, cwd=ROOT, env=fast, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        yield server, int(line.rsplit(":", 1)[1])
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


class Plain:
    """One connection that sends what it is told."""

    def __init__(self, port, token=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Content-Type": "application/json"}
        if token is not None:
            self.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method, path, body=None, **headers):
        """Status and answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, content, sent)
        response = self.connection.getresponse()
        text = response.read()
        return response.status, json.loads(text)

    def post(self, path, body=None, **headers):
        return self.ask("POST", path, body, **headers)


def local_reset(env, seed, **options):
    """An episode of a local object, drawn from NumPy's and Python's own generators."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    return env.reset(**options)


def as_json(value):
    """What is left of a value after a journey as JSON."""
    return json.loads(json.dumps(value, default=lambda one: np.asarray(one).tolist()))
