"""The thread that owns all worlds: requests that wait together become one batch of steps.

A round takes the requests that have arrived, at most one of each submission, carries their worlds
through a control step in one call, writes everything in one transaction, and answers when that lies
on the disk. While a round is under way the next requests arrive, so the batches grow with the load.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

import jaxosim
from jaxosim.envs.episode import EnvState
from jaxosim.serve import jobs, tables
from jaxosim.serve.challenge import Challenge
from jaxosim.serve.database import Database
from jaxosim.serve.errors import RefusedError
from jaxosim.serve.jobs import Job
from jaxosim.serve.session import ReplayError, Session
from jaxosim.serve.stepping import SIZES, Stepper
from jaxosim.serve.tasks import make_local

_log = logging.getLogger(__name__)
_PATIENCE = 1.0  # s without a request, after which idle submissions are looked for
_LONGEST_QUEUE = 100_000
_FAILED = "the server could not play this step: the submission stands where it stood"


class Round:
    """What a round has done and has yet to write.

    Attributes:
      episodes: rows to be written.
      steps: rows to be written.
      closed: submission, total, whether it is complete.
      answers: to be given once all is written.
      touched: submissions whose worlds have moved on.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self.episodes: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        self.closed: list[tuple[int, float, bool]] = []
        self.answers: list[tuple[Job, dict[str, Any]]] = []
        self.touched: set[str] = set()


class Grader:
    """All open submissions of a challenge."""

    def __init__(self, challenge: Challenge, database: Database) -> None:
        """Make the task and compile its programs.

        Raises:
          ChallengeError: the task or an option is unknown, or the results are another challenge's.
        """
        database.claim(challenge)
        self.challenge, self.database = challenge, database
        env = make_local(challenge)
        self.action_size = env.osim_model.compiled.env.action_size
        self.time_limit = env.time_limit
        self._stepper = Stepper(env.osim_model.compiled)
        self._warm_up()
        self._queue: queue.Queue[Job | None] = queue.Queue(_LONGEST_QUEUE)
        self._sessions: dict[str, Session] = {}
        self._waiting: dict[str, list[Job]] = {}  # the first of each submission is next
        self._last_used: dict[str, float] = {}
        self._swept = time.monotonic()
        for one in database.submissions(tables.submission.c.closed.is_(None)):
            self._last_used[one.instance] = self._swept
        self._thread = threading.Thread(target=self._run, name="grader", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what has arrived, then end."""
        self._queue.put(None)
        self._thread.join()

    def submit(self, job: Job) -> None:
        """Hand over a request.

        Raises:
          RefusedError: too many are waiting.
        """
        try:
            self._queue.put_nowait(job)
        except queue.Full as error:
            raise RefusedError(503, "the server is busy: try again later") from error

    def _warm_up(self) -> None:
        """Compile what the first requests need, one world and batches."""
        env = make_local(self.challenge)
        env.reset()
        env.begin_step(np.zeros(self.action_size))
        world = env.osim_model.present
        for size in (1, *SIZES):
            self._stepper.integrate([env.osim_model] * size)
            env.osim_model.world = world

    # ----------------------------------------------------------------------------- rounds

    def _run(self) -> None:
        """Round after round, until a None has been taken and nobody waits."""
        is_ending = False
        while not (is_ending and not self._waiting):
            is_ending |= self._collect(block=not self._waiting and not is_ending)
            self._sweep()
            try:
                self._round()
            except Exception:  # the next round may go well: a disk that was full, for instance
                _log.exception("a round has failed")
                self._drop(list(self._waiting), RefusedError(503, _FAILED))

    def _collect(self, block: bool) -> bool:
        """Take the requests that have arrived; whether the end is among them."""
        is_ending = False
        with contextlib.suppress(queue.Empty):
            job = self._queue.get(block, _PATIENCE if block else None)
            while True:
                if job is None:
                    is_ending = True
                else:
                    name = job.instance or f"new {id(job)}"
                    self._waiting.setdefault(name, []).append(job)
                job = self._queue.get_nowait()
        return is_ending

    def _round(self) -> None:
        """One request of each submission that has any."""
        now = Round()
        handlers = {
            jobs.RESET: self._reset,
            jobs.CLOSE: self._close,
            jobs.STATUS: self._status,
        }
        stepping: list[tuple[Session, EnvState, Job | None]] = []
        created: list[Job] = []
        for name, waiting in list(self._waiting.items()):
            job = waiting[0]
            if job.kind == jobs.CREATE:
                created.append(job)
                continue
            try:
                if job.kind in (jobs.CLOSE, jobs.STATUS) and self._is_closed(now, job):
                    continue
                session = self._session(job.instance)
                if session.backlog:
                    action = session.backlog[0][0]
                    stepping.append((session, session.begin_step(action), None))
                elif job.kind == jobs.STEP:
                    begun = self._begin_step(now, session, job)
                    stepping += [begun] if begun else []
                else:
                    handlers[job.kind](now, session, job)
            except Exception as error:
                self._fail(name, job, error)
        self._step(now, stepping)
        self._write(now, created)

    def _step(self, now: Round, stepping: Sequence[tuple[Session, EnvState, Job | None]]) -> None:
        """Carry worlds through a control step, stored ones of a backlog among them."""
        self._stepper.integrate([session.env.osim_model for session, _, _ in stepping])
        for session, before, job in stepping:
            instance = session.submission.instance
            try:
                if job is None:
                    session.finish_replayed(before)
                    continue
                answer = session.finish_step(before)
            except ReplayError as error:
                _log.error("submission %s: %s", instance, error)
                message = "the stored steps cannot be repeated by this server; tell its keeper"
                self._drop([instance], RefusedError(500, message))
                continue
            session.remember(job.key, answer)
            now.steps.append(
                {
                    "submission": session.submission.id,
                    "episode": session.number,
                    "number": session.step_count - 1,
                    "key": job.key,
                    "action": np.asarray(job.action, "<f8").tobytes(),
                    "reward": answer["reward"],
                    "done": answer["done"],
                }
            )
            now.answers.append((job, answer))
            now.touched.add(instance)

    def _write(self, now: Round, created: Sequence[Job]) -> None:
        """Store the round, then answer; what cannot be stored has not happened."""
        failed: list[tuple[Job, RefusedError]] = []
        try:
            with self.database.begin() as connection:
                for job in created:
                    try:
                        now.answers.append((job, self._create(connection, job)))
                    except RefusedError as error:
                        failed.append((job, error))
                self.database.insert(connection, tables.episode, now.episodes)
                self.database.insert(connection, tables.step, now.steps)
                for one in now.closed:
                    self.database.close_submission(connection, *one)
        except Exception as error:
            _log.error("a round could not be stored: %s", error)
            lost = RefusedError(503, "the server cannot store results now: repeat the request")
            self._drop(list(now.touched), lost)
            for job in [*(job for job, _ in now.answers), *created]:
                self._answer(job, lambda job=job: job.fail(lost))
            return
        for job, answer in now.answers:
            self._answer(job, lambda job=job, answer=answer: job.succeed(answer))
        for job, error in failed:
            self._answer(job, lambda job=job, error=error: job.fail(error))
        for submission, _, _ in now.closed:
            self._forget(submission)

    def _answer(self, job: Job, give: Callable[[], None]) -> None:
        """Answer a request, which then waits no longer."""
        name = job.instance or f"new {id(job)}"
        waiting = self._waiting.get(name, [])
        if job in waiting:
            waiting.remove(job)
            if not waiting:
                del self._waiting[name]
        if not job.answer.done():
            give()

    def _fail(self, name: str, job: Job, error: Exception) -> None:
        """Answer a request that has been refused, or that ours could not do."""
        if not isinstance(error, RefusedError):
            _log.error("submission %s", job.instance, exc_info=error)
            self._sessions.pop(name, None)
            error = RefusedError(500, _FAILED)
        self._answer(job, lambda: job.fail(error))

    def _drop(self, instances: Sequence[str], error: RefusedError) -> None:
        """Forget worlds, which are taken from the database again, and refuse who waits."""
        for instance in instances:
            self._sessions.pop(instance, None)
            for job in list(self._waiting.get(instance, [])):
                self._answer(job, lambda job=job: job.fail(error))

    # --------------------------------------------------------------------------- requests

    def _session(self, instance: str) -> Session:
        """A submission's world, made anew from the database where it is not in memory.

        Raises:
          RefusedError: there is no such submission.
        """
        if instance not in self._sessions:
            submission = self.database.submission(instance)
            if submission is None:
                raise RefusedError(404, "there is no such submission")
            if submission.closed is not None:
                raise RefusedError(409, "this submission has been closed")
            episodes = self.database.episodes(submission.id)
            self._sessions[instance] = Session(self.challenge, submission, episodes)
        self._last_used[instance] = time.monotonic()
        return self._sessions[instance]

    def _is_closed(self, now: Round, job: Job) -> bool:
        """Whether the submission has ended; it is then answered with what is stored."""
        if job.instance in self._sessions:
            return False
        stored = self.database.submission(job.instance)
        if stored is None or stored.closed is None:
            return False
        now.answers.append((job, {"reward": stored.total, "complete": stored.complete}))
        return True

    def _repeat(self, now: Round, session: Session, job: Job) -> bool:
        """Whether a request is one that has been answered; the last one is answered again.

        Raises:
          RefusedError: it is an older one.
        """
        if job.key is None or job.key not in session.keys:
            return False
        if job.key != session.last_key:
            raise RefusedError(409, "this request was answered before, and others since")
        now.answers.append((job, session.last_answer))
        return True

    def _create(self, connection: Any, job: Job) -> dict[str, Any]:
        """Begin a submission."""
        versions = f"jaxosim {jaxosim.__version__}, jax {jax.__version__}"
        new = {"key": job.key, "client": job.client, "versions": versions}
        submission = self.database.add_submission(connection, self.challenge, job.account, new)
        self._last_used[submission.instance] = time.monotonic()
        return {"instance_id": submission.instance}

    def _reset(self, now: Round, session: Session, job: Job) -> None:
        """Begin the next episode; the answer is empty where there is none."""
        if self._repeat(now, session, job):
            return
        if not session.has_next:
            now.answers.append((job, {"observation": [], "episode": None}))
            return
        answer = session.reset()
        session.remember(job.key, answer)
        row = {"number": session.number, "key": job.key, "seed": session.seed}
        now.episodes.append({"submission": session.submission.id, **row})
        now.answers.append((job, answer))
        now.touched.add(job.instance)

    def _begin_step(
        self, now: Round, session: Session, job: Job
    ) -> tuple[Session, EnvState, Job] | None:
        """Take the action of a step; None if it has been played.

        Raises:
          RefusedError: no episode is under way.
        """
        if self._repeat(now, session, job):
            return None
        if session.done:
            begun = "has ended" if session.number >= 0 else "has not begun"
            raise RefusedError(409, f"the episode {begun}: reset first")
        assert job.action is not None
        return session, session.begin_step(job.action), job

    def _close(self, now: Round, session: Session, job: Job) -> None:
        """End a submission."""
        now.closed.append((session.submission.id, session.total, session.is_complete))
        answer = {"reward": session.total, "complete": session.is_complete}
        now.answers.append((job, answer))
        now.touched.add(job.instance)

    def _status(self, now: Round, session: Session, job: Job) -> None:
        """Say where a submission stands."""
        now.answers.append((job, session.status()))

    def _forget(self, submission: int) -> None:
        """Free the world of a submission that has been closed."""
        for instance, session in list(self._sessions.items()):
            if session.submission.id == submission:
                del self._sessions[instance]
                self._last_used.pop(instance, None)

    def _sweep(self) -> None:
        """Close submissions of which nobody has heard for long."""
        now = time.monotonic()
        if now - self._swept < _PATIENCE:
            return
        self._swept = now
        for instance, used in list(self._last_used.items()):
            if now - used > self.challenge.limits.idle_seconds and instance not in self._waiting:
                self._waiting[instance] = [Job(jobs.CLOSE, instance)]
                del self._last_used[instance]
