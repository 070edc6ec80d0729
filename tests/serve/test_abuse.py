"""What may come from a network: refused or bounded, and the server answers the next request."""

import contextlib
import http.client
import json
import pathlib
import resource
import socket
import sys
import time

import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim.serve import challenge as challenges
from jaxosim.serve.database import Database
from tests.serve.running import Plain, arm_challenge, serving

LIMITS = """
[limits]
body_bytes = 20000
body_seconds = 0.5
open_per_token = 3
daily_per_token = 1000
worlds = 7
requests_per_second = 3000
refusals_per_minute = 20
"""
ACTION = [0.5] * 6
CREATE = "/v1/envs/"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(arm_challenge(tmp_path_factory.mktemp("arm"), LIMITS)) as running:
        yield running


@pytest.fixture
def token(server, request):
    """One of the test's own; what it has left open is closed."""
    database = server[0].database
    token = database.add_account(request.node.name[:80])
    yield token
    with database.begin() as connection:
        for one in database.submissions():
            if one.closed is None:
                database.close_submission(connection, one.id, 0.0, False)


@pytest.fixture(autouse=True)
def forgiven(server):
    """Wrong tokens of other tests do not count."""
    server[0].gate._refusals.clear()
    yield
    assert Plain(server[1]).ask("GET", "/v2/challenge")[0] == 200  # it is alive


def begin(server, token):
    plain = Plain(server[1])
    status, answer = plain.post(CREATE, {"env_id": "Arm2DEnv", "token": token})
    assert status == 200, answer
    return plain, f"/v1/envs/{answer['instance_id']}"


@pytest.mark.parametrize("token", ["", "x" * 10000, None, 7, ["a"], {"a": 1}, "' OR 1=1 --"])
def test_a_token_that_is_none_is_refused(server, token):
    status, answer = Plain(server[1]).post(CREATE, {"env_id": "Arm2DEnv", "token": token})
    assert status == 401 and "token" in answer["message"]


def test_guessing_tokens_is_slowed_down(server):
    plain = Plain(server[1])
    statuses = [plain.post(CREATE, {"token": f"guess {i}"})[0] for i in range(30)]
    assert statuses == [401] * 20 + [429] * 10


def test_a_revoked_token_ends_also_its_open_submission(server, token, request):
    plain, base = begin(server, token)
    assert plain.post(f"{base}/reset/")[0] == 200
    server[0].database.revoke(request.node.name[:80])
    time.sleep(1.1)  # an account is looked up once a second
    assert plain.post(f"{base}/step/", {"action": ACTION})[0] == 401
    assert plain.post(CREATE, {"env_id": "Arm2DEnv", "token": token})[0] == 401


def test_a_revoked_token_is_refused_by_every_interface(server, token, request):
    plain = Plain(server[1], token)
    name = plain.post("/v2/submissions", {"env_id": "Arm2DEnv"})[1]["submission"]
    server[0].database.revoke(request.node.name[:80])
    time.sleep(1.1)
    assert plain.ask("GET", f"/v2/submissions/{name}")[0] == 401
    assert plain.post("/v2/steps", {"steps": []})[0] == 401
    assert plain.post(f"/v1/envs/{name}/reset/")[0] == 401


def test_a_submission_that_is_guessed_is_not_found(server):
    plain = Plain(server[1])
    for name in ("0" * 32, "1", "%00", "a" * 5000):
        assert plain.post(f"/v1/envs/{name}/reset/")[0] == 404


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=pytest.mark.slow)])
def test_creates_are_bounded_however_many_there_are(server, token, count):
    plain, body = Plain(server[1]), {"env_id": "Arm2DEnv", "token": token}
    before = len(server[0].database.submissions())
    statuses = [plain.post(CREATE, body)[0] for _ in range(count)]
    assert statuses == [200] * 3 + [429] * (count - 3)
    assert len(server[0].database.submissions()) == before + 3


def test_many_tokens_together_are_bounded_by_the_worlds_in_memory(server, token):
    database = server[0].database
    tokens = [token, *(database.add_account(f"one of many {i}") for i in range(4))]
    answers = [
        Plain(server[1]).post(CREATE, {"env_id": "Arm2DEnv", "token": one})
        for one in tokens
        for _ in range(2)
    ]
    assert [status for status, _ in answers] == [200] * 7 + [503] * 3
    assert len(server[0].grader._sessions) <= 7


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/v1/envs/..%2f..%2fetc%2fpasswd/reset/",
        "/submissions/..%2f1",
        "/submissions/1/episodes/..%2f..%2fchallenge.toml",
        "/challenge.sqlite",
        "/challenge.toml",
        "//etc/passwd",
        "/%00",
    ],
)
def test_a_path_never_reaches_a_file(server, path):
    for method in ("GET", "POST"):
        status, answer = Plain(server[1]).ask(method, path)
        assert status in (404, 405) and "seeds" not in json.dumps(answer)


def test_the_folder_that_an_old_client_names_is_not_made(server, token, tmp_path):
    plain, base = begin(server, token)
    marker = tmp_path / "marker"
    body = {"directory": str(marker), "force": True, "resume": False, "video_callable": False}
    assert plain.post(f"{base}/monitor/start/", body)[0] == 200
    assert not marker.exists() and list(tmp_path.iterdir()) == []


def test_a_name_with_sql_in_it_is_a_name(server, token):
    plain, base = begin(server, token)
    key = "x'); DROP TABLE step; --"
    assert plain.post(f"{base}/reset/", Idempotency_Key=key)[0] == 200
    assert plain.post(f"{base}/step/", {"action": ACTION}, Idempotency_Key=f"{key}2")[0] == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 19_000, 400),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, 400),
        (b"1" * 19_000, 400),
        (b"[]", 422),
        (b'"text"', 422),
        (b"null", 422),
        (b'{"env_id": "Arm2DEnv"}', 401),
        (b" " * 20_001, 413),
        (b'{"env_id": "Arm2DEnv", "token": "\\ud800"}', 400),  # half a character
        (b'{"env_id": "Arm2DEnv", "version": "\\ud800", "token": "t"}', 400),
    ],
)
def test_a_body_that_is_no_request_is_refused(server, body, status):
    got, answer = Plain(server[1]).post(CREATE, body)
    assert got == status and answer["message"]


def test_a_gigabyte_is_refused_before_it_has_come(server):
    connection = http.client.HTTPConnection("127.0.0.1", server[1], timeout=20)
    connection.putrequest("POST", CREATE)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(10**9))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413 and "20000 bytes" in response.read().decode()


def test_a_gigabyte_in_chunks_is_cut_off_and_not_kept(server):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sent, chunk = 0, b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server[1]), timeout=20) as peer:
        head = f"POST {CREATE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        peer.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            while sent < 10**9:
                peer.sendall(chunk)
                sent += len(chunk)
    assert sent < 10**8
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000 * (1000 if sys.platform == "darwin" else 1)  # kB, there bytes


def test_a_slow_body_is_given_up_and_others_are_served_meanwhile(server):
    with socket.create_connection(("127.0.0.1", server[1]), timeout=20) as peer:
        head = f"POST {CREATE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        peer.sendall(f'{head}Content-Length: 100\r\n\r\n{{"env'.encode())
        begin = time.monotonic()
        assert Plain(server[1]).ask("GET", "/v2/challenge")[0] == 200
        assert time.monotonic() - begin < 5
        assert b" 408 " in peer.recv(1000)


def test_a_half_closed_connection_is_served_or_closed(server):
    with socket.create_connection(("127.0.0.1", server[1]), timeout=20) as peer:
        peer.sendall(b"GET /v2/challenge HTTP/1.1\r\nHost: x\r\n")
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(1000) == b""  # an unfinished request: no answer, and no waiting


def test_a_client_that_leaves_during_a_step_leaves_the_step_stored(server, token):
    plain, base = begin(server, token)
    plain.post(f"{base}/reset/")
    body = json.dumps({"action": ACTION}).encode()
    with socket.create_connection(("127.0.0.1", server[1]), timeout=20) as peer:
        head = f"POST {base}/step/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += f"Idempotency-Key: gone\r\nContent-Length: {len(body)}\r\n\r\n"
        peer.sendall(head.encode() + body)
    deadline = time.monotonic() + 20
    name = base.rsplit("/", 1)[1]
    number = server[0].database.submission(name).id
    while time.monotonic() < deadline and not server[0].database.episodes(number)[0].rewards:
        time.sleep(0.02)
    status, again = plain.post(f"{base}/step/", {"action": ACTION}, Idempotency_Key="gone")
    assert status == 200
    assert server[0].database.episodes(number)[0].rewards == [again["reward"]]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_page_of_another_host_can_send_is_refused(server, kind):
    status, answer = Plain(server[1]).post(CREATE, {}, Content_Type=kind)
    assert status == 415 and "application/json" in answer["message"]


def test_other_hosts_pages_get_no_permission(server):
    plain = Plain(server[1])
    headers = {"Origin": "http://other.example", "Access-Control-Request-Method": "POST"}
    plain.connection.request("OPTIONS", CREATE, headers=headers)
    response = plain.connection.getresponse()
    response.read()
    assert response.status == 405
    assert not [name for name, _ in response.getheaders() if name.lower().startswith("access-")]


def test_the_rate_of_a_token_is_bounded(tmp_path):
    from jaxosim.serve.errors import RefusedError
    from jaxosim.serve.gate import Gate

    limits = challenges.Limits(requests_per_second=5.0)
    challenge = challenges.Challenge("Arm", "Arm2DEnv", (1,), limits=limits)
    database = Database(tmp_path / "results.sqlite")
    database.add_account("ann")
    gate, refused = Gate(challenge, database), 0
    for _ in range(50):
        try:
            gate.admit(1)
        except RefusedError as error:
            assert error.status == 429
            refused += 1
    assert refused == 40  # two seconds' worth may come at once
    database.close()


def test_a_challenge_that_is_not_open_takes_no_submission(tmp_path):
    more = "\n[limits]\nidle_seconds = 1.0"
    text = 'task = "Arm2DEnv"\nseeds = [1]\nopens = 2999-01-01T00:00:00Z'
    with serving(arm_challenge(tmp_path, more, text)) as (service, port):
        token = service.database.add_account("ann")
        status, answer = Plain(port).post(CREATE, {"env_id": "Arm2DEnv", "token": token})
        assert status == 403 and "opens at 2999" in answer["message"]


def test_an_idle_submission_is_closed_with_its_score(tmp_path):
    more = "\n[limits]\nidle_seconds = 1.0"
    text = 'task = "Arm2DEnv"\nseeds = [1]\n[options]\ntime_limit = 1'
    with serving(arm_challenge(tmp_path, more, text)) as (service, port):
        token = service.database.add_account("ann")
        plain, base = begin((service, port), token)
        plain.post(f"{base}/reset/")
        _, step = plain.post(f"{base}/step/", {"action": ACTION})
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not service.database.ranking():
            time.sleep(0.1)
        (one,) = service.database.ranking()
        assert (one.total, one.complete) == (step["reward"], True)
        assert service.grader._sessions == {}


def test_a_full_disk_loses_no_step_that_was_acknowledged(server, token, monkeypatch):
    plain, base = begin(server, token)
    plain.post(f"{base}/reset/", Idempotency_Key="r")
    first = plain.post(f"{base}/step/", {"action": ACTION}, Idempotency_Key="a")
    insert = Database.insert

    def full(connection, table, rows):
        insert(connection, table, rows)
        if rows:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Database, "insert", staticmethod(full))
    status, answer = plain.post(f"{base}/step/", {"action": ACTION}, Idempotency_Key="b")
    assert status == 503 and "repeat" in answer["message"]
    monkeypatch.undo()
    assert plain.post(f"{base}/step/", {"action": ACTION}, Idempotency_Key="a") == first
    second = plain.post(f"{base}/step/", {"action": ACTION}, Idempotency_Key="b")
    number = server[0].database.submission(base.rsplit("/", 1)[1]).id
    rewards = server[0].database.episodes(number)[0].rewards
    assert rewards == [first[1]["reward"], second[1]["reward"]]


def test_the_database_is_readable_by_its_owner_only(server):
    path = pathlib.Path(server[0].database.path)
    assert path.stat().st_mode & 0o077 == 0
