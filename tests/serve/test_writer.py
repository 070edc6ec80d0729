"""The writer: rounds are on the disk, and the grader knows, before anyone is answered."""

import asyncio
import contextlib
import sqlite3

import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim.serve import jobs, tables
from jaxosim.serve.database import Database
from jaxosim.serve.errors import RefusedError
from jaxosim.serve.jobs import Job, Round
from jaxosim.serve.writer import Writer
from tests.serve.running import arm_challenge


@pytest.fixture
def challenge(tmp_path):
    return arm_challenge(tmp_path, "[limits]\nopen_per_token = 2")


@pytest.fixture
def database(challenge):
    database = Database(challenge.database)
    database.claim(challenge)
    yield database
    database.close()


def wait_for(challenge, database, rounds, answers):
    """What the writer tells of rounds that waited together, in order, and the answers."""
    told = []

    async def play():
        futures = [asyncio.get_running_loop().create_future() for _ in answers]
        for job, future in zip(answers, futures, strict=True):
            job.answer = future
            future.add_done_callback(lambda done: told.append(done.exception() or done.result()))
        writer = Writer(challenge, database, told.append)
        for one in rounds:
            writer.put(one)
        writer.start()
        await asyncio.to_thread(writer.stop)
        await asyncio.sleep(0.05)  # for the answers
        return futures

    return told, asyncio.run(play())


def creating(account, count):
    made = [Job(jobs.CREATE, account=account) for _ in range(count)]
    rounds = []
    for job in made:
        rounds.append(Round())
        rounds[-1].created.append(job)
    return made, rounds


def test_rounds_that_wait_together_are_one_transaction(challenge, database, monkeypatch):
    account = database.account_of(database.add_account("ann")).id
    made, rounds = creating(account, 3)
    begun, begin = [], database.begin
    monkeypatch.setattr(database, "begin", lambda: begun.append(1) or begin())
    told, _ = wait_for(challenge, database, rounds, made)
    assert begun == [1]
    first, *answers = told
    assert (list(first.rounds), first.failed) == (rounds, False)  # told before anyone is answered
    assert ["instance_id" in one for one in answers[:2]] == [True, True]
    assert isinstance(answers[2], RefusedError) and answers[2].status == 429
    stored = [one.instance for one in database.submissions(tables.submission.c.closed.is_(None))]
    assert stored == [one["instance_id"] for one in answers[:2]]


def test_what_cannot_be_stored_has_not_happened(challenge, database, monkeypatch):
    account = database.account_of(database.add_account("ann")).id
    made, rounds = creating(account, 1)
    rounds[0].episodes.append({"submission": 1, "number": 0, "key": None, "seed": 3})

    @contextlib.contextmanager
    def failing(begin=database.begin):
        with begin() as connection:
            yield connection
            raise sqlite3.OperationalError("the disk is full")

    monkeypatch.setattr(database, "begin", failing)
    told, futures = wait_for(challenge, database, rounds, made)
    assert [one.failed for one in told] == [True]
    assert not any(future.done() for future in futures)  # the grader answers
    monkeypatch.undo()
    assert database.submissions() == []
