"""Deadlines: who waits too long is told, and nobody else."""

import asyncio

import pytest

from jaxosim.serve.deadlines import Deadlines


def test_what_is_done_in_time_gives_its_result():
    async def run():
        deadlines = Deadlines(5.0)
        return await asyncio.gather(*(deadlines.within(asyncio.sleep(0.01, n)) for n in range(3)))

    assert asyncio.run(run()) == [0, 1, 2]


def test_nobody_is_kept_who_waits_no_longer():
    async def run():
        deadlines = Deadlines(5.0)
        await asyncio.gather(*(deadlines.within(asyncio.sleep(0.001 * n)) for n in (2, 1, 3)))
        return len(deadlines._waiting)

    assert asyncio.run(run()) == 0


def test_each_has_its_own_time_and_is_canceled_after_it():
    async def run():
        deadlines, clock = Deadlines(0.2), asyncio.get_running_loop().time
        begin, canceled = clock(), []

        async def forever():
            try:
                await asyncio.Event().wait()
            finally:
                canceled.append(clock() - begin)

        async def one(delay):
            await asyncio.sleep(delay)
            with pytest.raises(TimeoutError):
                await deadlines.within(forever())
            await asyncio.sleep(0)  # the task itself goes on
            return True

        results = await asyncio.gather(one(0.0), one(0.1), deadlines.within(asyncio.sleep(0.01, 2)))
        return results, canceled

    results, (first, second) = asyncio.run(run())
    assert results == [True, True, 2]
    assert 0.2 <= first < second and second >= 0.3


def test_after_a_time_of_silence_the_next_one_is_ended_too():
    async def run():
        deadlines = Deadlines(0.05)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await deadlines.within(asyncio.get_running_loop().create_future())
            await asyncio.sleep(0.1)

    asyncio.run(run())


def test_a_canceled_task_stays_canceled_and_errors_pass():
    async def run():
        deadlines = Deadlines(0.05)
        task = asyncio.ensure_future(deadlines.within(asyncio.sleep(9.0)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        late = asyncio.get_running_loop().create_future()
        late.set_exception(ValueError("as given"))
        with pytest.raises(ValueError, match="as given"):
            await deadlines.within(late)

    asyncio.run(run())
