"""How many steps a second does the server of a challenge grade, and how long does a step take?

    python benchmarks/serving.py [ENV] [--clients 1 16 128] [--seconds 10] [--interface v1]
    python benchmarks/serving.py --clients 128 --seconds 600 --kills 5

A server and its clients, both on this machine. Each client sends a random action, waits for the
answer, and sends the next: over `v1`, osim-rl's interface; over `socket`, the WebSocket; or over
`steps`, where one connection sends the steps of all clients in one request. With `--kills` the
server is killed and started anew so many times. In the end the steps and rewards that the clients
were told of are compared with those that are stored. One table, and one JSON line for each number
of clients in benchmarks/results/serving.jsonl. Needs the extra `serve`.
"""

import argparse
import asyncio
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson
import uvloop
from record import record, show

from jaxosim.serve.challenge import read_challenge
from jaxosim.serve.database import Database

CHALLENGE = """
task = "{env}"
seeds = [{seeds}]
[limits]
worlds = 1000
open_per_token = 1000
daily_per_token = 1000000
requests_per_second = 1000000
"""
EPISODES = 1000  # of a submission: more than a run plays
PAUSE = 0.2  # s after which a request without an answer is sent again
PACKAGES = ("jax", "jaxlib", "numpy", "starlette", "uvicorn", "sqlalchemy")


class Server:
    """`jaxosim serve` as a process of its own."""

    def __init__(self, folder, env):
        """Start it, its files in a folder."""
        self.env = env
        self.path = folder / "challenge.toml"
        seeds = ", ".join(map(str, range(1, EPISODES + 1)))
        self.path.write_text(CHALLENGE.format(env=env, seeds=seeds), encoding="utf-8")
        self.database = Database(read_challenge(self.path).database)
        self.token = self.database.add_account("benchmark")
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self.start()

    def start(self):
        """Start the process, and wait until it answers."""
        command = [sys.executable, "-m", "jaxosim.cli", "serve", str(self.path)]
        command += ["--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def kill(self):
        """End it as a power failure would."""
        self.process.kill()
        self.process.wait()

    def memory(self):
        """Resident memory in MB; 0 where the system does not tell."""
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        return 0.0

    def processor_seconds(self):
        """That the process has used; 0 where the system does not tell."""
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0


class Connection(asyncio.Protocol):
    """HTTP over one connection; a request is repeated with its key until it is answered.

    It does little, so that the machine is the server's.
    """

    def __init__(self, server):
        """Connect at the first request."""
        self.server, self.received = server, b""
        self.transport: asyncio.WriteTransport | None = None
        self.answer: asyncio.Future | None = None
        self.head = (
            f" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {server.token}\r\nIdempotency-Key: "
        )

    async def post(self, path, body):
        """The answer to a request."""
        content = orjson.dumps(body)
        head = f"POST {path}{self.head}{random.getrandbits(128):032x}\r\n"
        request = f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
        while True:
            with contextlib.suppress(OSError):
                status, answer = await self.exchange(request)
                if status in (200, 201):
                    return answer
                if status != 503:
                    raise RuntimeError(f"{path}: {status} {answer}")
            if self.transport is not None:
                self.transport.abort()
            self.transport = None
            await asyncio.sleep(PAUSE)

    async def exchange(self, request):
        """Status and answer of one attempt."""
        loop = asyncio.get_running_loop()
        if self.transport is None:
            made = loop.create_connection(lambda: self, "127.0.0.1", self.server.port)
            self.transport, _ = await made
        self.answer, self.received = loop.create_future(), b""
        self.transport.write(request)
        return await self.answer

    def data_received(self, data):
        """A part of an answer."""
        self.received += data
        head, _, content = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if length and len(content) == int(length[1]):
            self.settle(lambda answer: answer.set_result((int(head[9:12]), orjson.loads(content))))

    def connection_lost(self, error):
        """The server has gone, whether or not an answer was awaited."""
        self.transport = None
        lost = ConnectionResetError("the connection has ended")
        self.settle(lambda answer: answer.set_exception(lost))

    def settle(self, give):
        """Give the answer to whoever waits for it."""
        if self.answer is not None and not self.answer.done():
            give(self.answer)


class Player:
    """One submission and what its client has been told."""

    def __init__(self, size, number):
        """A submission that has not begun."""
        self.draws, self.size = np.random.default_rng(number), size
        self.rewards, self.latencies = [], []
        self.name, self.needs_reset = "", True

    def action(self):
        """A random action."""
        return np.round(self.draws.uniform(0.0, 0.3, self.size), 4).tolist()

    def told(self, answer, seconds):
        """Note an answer."""
        self.rewards.append(answer["reward"])
        self.latencies.append(seconds)
        self.needs_reset = answer["done"]


async def play_v1(server, player, end):
    """A client of osim-rl's interface."""
    connection = Connection(server)
    while time.perf_counter() < end:
        base = f"/v1/envs/{player.name}"
        if player.needs_reset:
            await connection.post(f"{base}/reset/", None)
        begin = time.perf_counter()
        answer = await connection.post(f"{base}/step/", {"action": player.action()})
        player.told(answer, time.perf_counter() - begin)


async def play_socket(server, player, end):
    """A client of the WebSocket."""
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{server.port}/v2/socket", max_size=None) as link:

        async def ask(**message):
            await link.send(orjson.dumps(message).decode())
            return orjson.loads(await link.recv())

        await ask(token=server.token)
        while time.perf_counter() < end:
            if player.needs_reset:
                await ask(call="reset", submission=player.name)
            begin = time.perf_counter()
            answer = await ask(call="step", submission=player.name, action=player.action())
            player.told(answer, time.perf_counter() - begin)


async def play_steps(server, players, end):
    """One client that sends the steps of all submissions in one request."""
    connection = Connection(server)
    while time.perf_counter() < end:
        for player in players:
            if player.needs_reset:
                await connection.post(f"/v2/submissions/{player.name}/reset", {})
        steps = [{"submission": one.name, "action": one.action()} for one in players]
        begin = time.perf_counter()
        answer = await connection.post("/v2/steps", {"steps": steps})
        seconds = time.perf_counter() - begin
        for player, one in zip(players, answer["results"], strict=True):
            player.told(one, seconds)


async def play(server, players, interface, seconds, kills, memory):
    """All clients at once; the server is killed in between."""
    for player in players:
        body = {"env_id": server.env, "token": server.token, "version": "benchmark"}
        player.name = (await Connection(server).post("/v1/envs/", body))["instance_id"]
    end = time.perf_counter() + seconds
    if interface == "steps":
        playing = [play_steps(server, players, end)]
    else:
        one = {"v1": play_v1, "socket": play_socket}[interface]
        playing = [one(server, player, end) for player in players]
    tasks = asyncio.gather(*playing)
    for _ in range(kills):
        await asyncio.sleep(seconds / (kills + 1))
        memory.append(server.memory())
        server.kill()
        await asyncio.to_thread(server.start)
    await tasks
    memory.append(server.memory())


def lost_or_doubled(server, players):
    """Steps that clients were told of and that are not stored so, or the other way round."""
    wrong = 0
    for player in players:
        submission = server.database.submission(player.name)
        stored = [r for one in server.database.episodes(submission.id) for r in one.rewards]
        pairs = zip(stored, player.rewards, strict=False)
        wrong += abs(len(stored) - len(player.rewards)) + sum(a != b for a, b in pairs)
    return wrong


def measure(server, size, count, options):
    """All figures for a number of clients."""
    players, memory = [Player(size, number) for number in range(count)], []
    begin, used = time.perf_counter(), server.processor_seconds()
    own = time.process_time()
    uvloop.run(play(server, players, options.interface, options.seconds, options.kills, memory))
    seconds, own = time.perf_counter() - begin, time.process_time() - own
    used = server.processor_seconds() - used
    latencies = np.concatenate([player.latencies for player in players])
    row = {
        "env": options.env,
        "interface": options.interface,
        "clients": count,
        "seconds": seconds,
        "kills": options.kills,
        "steps_per_second": len(latencies) / seconds,
        "p50_ms": float(np.percentile(latencies, 50) * 1e3),
        "p99_ms": float(np.percentile(latencies, 99) * 1e3),
        "steps": len(latencies),
        "server_processor_ms_per_step": None if options.kills else used / len(latencies) * 1e3,
        "client_processor_ms_per_step": own / len(latencies) * 1e3,
        "lost_or_doubled": lost_or_doubled(server, players),
        "server_memory_MB": [round(one) for one in memory],
    }
    for player in players:
        uvloop.run(Connection(server).post(f"/v1/envs/{player.name}/close/", None))
    return row


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("env", nargs="?", default="ProstheticsEnv")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 128])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--interface", choices=["v1", "socket", "steps"], default="v1")
    parser.add_argument("--kills", type=int, default=0)
    options = parser.parse_args()
    import jaxosim

    size = jaxosim.make(options.env).action_size
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), options.env)
        try:
            for count in options.clients:
                row = measure(server, size, count, options)
                record("serving", row, PACKAGES)
                show(row)
        finally:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait()
            server.database.close()


if __name__ == "__main__":
    main()
