"""The thread that owns all worlds: requests that wait together become one batch of steps.

A round takes the requests that have arrived, at most one of each submission, carries their worlds
through a control step in one call, and hands everything to the writer, which answers when it lies
on the disk. While a round is under way the next requests arrive, so the batches grow with the load.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Sequence

import numpy as np

from jaxosim.envs.episode import EnvState
from jaxosim.serve import jobs, tables
from jaxosim.serve.challenge import Challenge
from jaxosim.serve.database import Database
from jaxosim.serve.errors import RefusedError
from jaxosim.serve.jobs import Job, Round
from jaxosim.serve.session import ReplayError, Session
from jaxosim.serve.stepping import SIZES, Stepper
from jaxosim.serve.tasks import make_local
from jaxosim.serve.writer import Stored, Writer

_log = logging.getLogger(__name__)
_PATIENCE = 1.0  # s without a request, after which idle submissions are looked for
_FAILED = "the server could not play this step: the submission stands where it stood"


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
        self._queue: queue.SimpleQueue[Sequence[Job] | Stored | None] = queue.SimpleQueue()
        self._writer = Writer(challenge, database, self._queue.put)
        self._sessions: dict[str, Session] = {}
        self._waiting: dict[str, list[Job]] = {}  # the first of each submission is next
        self._writing: set[str] = set()  # whose first one the writer has
        self._last_used: dict[str, float] = {}
        self._swept = time.monotonic()
        for one in database.submissions(tables.submission.c.closed.is_(None)):
            self._last_used[one.instance] = self._swept
        self._thread = threading.Thread(target=self._run, name="grader", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._writer.start()
        self._thread.start()

    def stop(self) -> None:
        """Answer what has arrived, then end."""
        self._queue.put(None)
        self._thread.join()
        self._writer.stop()

    def submit(self, some: Sequence[Job]) -> None:
        """Hand over requests."""
        self._queue.put(some)

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
            is_ending |= self._collect()
            self._sweep()
            try:
                self._round()
            except Exception:  # the next round may go well
                _log.exception("a round has failed")
                self._drop(self._ready(), RefusedError(503, _FAILED))

    def _ready(self) -> list[str]:
        """Submissions with a request that can be played now."""
        return [name for name in self._waiting if name not in self._writing]

    def _collect(self) -> bool:
        """Take what has arrived, at least one message if nothing can be played; whether to end."""
        is_ending = False
        with contextlib.suppress(queue.Empty):
            one = self._queue.get_nowait() if self._ready() else self._queue.get(timeout=_PATIENCE)
            while True:
                if one is None:
                    is_ending = True
                elif isinstance(one, Stored):
                    self._finish(one)
                else:
                    for job in one:
                        self._waiting.setdefault(job.name, []).append(job)
                one = self._queue.get_nowait()
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
        for name in self._ready():
            job = self._waiting[name][0]
            if job.kind == jobs.CREATE:
                now.created.append(job)
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
        if now.jobs:
            self._writing |= {job.name for job in now.jobs}
            self._writer.put(now)

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

    def _finish(self, stored: Stored) -> None:
        """Go on with the submissions of rounds that the writer has done with."""
        done = [job for one in stored.rounds for job in one.jobs]
        self._writing -= {job.name for job in done}
        if stored.failed:
            lost = RefusedError(503, "the server cannot store results now: repeat the request")
            self._drop([name for one in stored.rounds for name in one.touched], lost)
            self._refuse(done, lost)
            return
        for job in done:
            self._release(job)
        for one in stored.rounds:
            for job, answer in one.answers:
                if job.kind == jobs.CREATE and isinstance(answer, dict):
                    self._last_used[answer["instance_id"]] = time.monotonic()
            for submission, _, _ in one.closed:
                self._forget(submission)

    def _release(self, job: Job) -> None:
        """A request waits no longer."""
        waiting = self._waiting.get(job.name, [])
        if job in waiting:
            waiting.remove(job)
            if not waiting:
                del self._waiting[job.name]

    def _refuse(self, refused: Sequence[Job], error: RefusedError) -> None:
        """Answer requests with an error; those that wait no longer have been answered."""
        waiting = [job for job in refused if job in self._waiting.get(job.name, [])]
        for job in waiting:
            self._release(job)
        jobs.give((job, error) for job in waiting)

    def _fail(self, name: str, job: Job, error: Exception) -> None:
        """Answer a request that has been refused, or that ours could not do."""
        if not isinstance(error, RefusedError):
            _log.error("submission %s", job.instance, exc_info=error)
            self._sessions.pop(name, None)
            error = RefusedError(500, _FAILED)
        self._refuse([job], error)

    def _drop(self, instances: Sequence[str], error: RefusedError) -> None:
        """Forget worlds, which are taken from the database again, and refuse who waits."""
        for instance in instances:
            self._sessions.pop(instance, None)
            self._refuse(list(self._waiting.get(instance, [])), error)

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
