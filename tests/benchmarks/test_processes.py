"""A worker answers, says what went wrong in it, hears no Ctrl-C, and leaves no process behind."""

import multiprocessing
import os
import signal
import time

import pytest
from opensim_comparison.processes import Worker, call_all


@pytest.fixture(scope="module")
def workers():
    with Worker(list, (3, 1)) as first, Worker(list, "ab") as second:
        assert [first.receive(), second.receive()] == [None, None]
        yield first, second


def test_calls_are_answered_by_the_object_that_the_process_holds(workers):
    first, second = workers
    first.call("append", 2)
    assert first.call("pop") == 2
    assert call_all(workers, "index", [1, "b"]) == [1, 1]
    assert second.call("copy") == ["a", "b"]


def test_an_error_is_raised_where_the_call_was_made_and_the_next_call_is_answered(workers):
    with pytest.raises(ValueError, match="not in list"):
        workers[0].call("index", 9)
    assert workers[0].call("copy") == [3, 1]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_an_interrupt_does_not_reach_it():
    others = set(multiprocessing.active_children())  # of tests that ran before in this process
    with Worker(list, (3, 1)) as worker:
        (process,) = set(multiprocessing.active_children()) - others
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        assert worker.receive() is None
        assert worker.call("copy") == [3, 1]


def test_a_process_that_died_is_said_to_have():
    with Worker(os._exit, 3) as worker:
        with pytest.raises(RuntimeError, match="exit status 3"):
            worker.receive()
        with pytest.raises(RuntimeError, match="exit status 3"):
            worker.call("anything")


def test_a_result_is_waited_for_no_longer_than_asked():
    with Worker(time.sleep, 3600) as worker, pytest.raises(TimeoutError, match=r"in 0\.01 s"):
        worker.receive(timeout=0.01)


def test_closing_ends_it_whatever_it_is_doing():
    before = set(multiprocessing.active_children())
    worker = Worker(time.sleep, 3600)
    assert set(multiprocessing.active_children()) - before
    worker.close()
    assert set(multiprocessing.active_children()) <= before
