"""A training run in its folder: stages, evaluations, checkpoints, and the best policy.

A folder holds `settings.json`; `checkpoint.npz`, all that training depends on; `curve.csv`; and,
once one has been evaluated, `policy.npz`, the best policy of all evaluations. The first checkpoint
is written before the first update and after all else: a folder without one holds no run. A run that
was stopped goes on exactly from its last checkpoint.
"""

import dataclasses
import json
import os
import pathlib
import time
from typing import Any

import jax
import numpy as np

import jaxosim.envs.storage as storage
from jaxosim.envs.base import Env
from jaxosim.errors import JaxosimError
from jaxosim.host.archive import Archive
from jaxosim.host.files import replacing
from jaxosim.learning.curve import Row, read_curve, write_curve
from jaxosim.learning.numpy_policy import Mirror, Policy
from jaxosim.learning.state import TrainState
from jaxosim.learning.training import Learner, Networks, Trainer

_SETTINGS, _CHECKPOINT = "settings.json", "checkpoint.npz"
_CURVE, _POLICY = "curve.csv", "policy.npz"


class DivergedError(JaxosimError):
    """The networks are no longer finite."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a run.

    Attributes:
      learner: of the stage. It begins with the best networks of the stage before.
      decisions: of all worlds, after which the next stage begins.
      env: the task in which it learns; the plan's if None.
    """

    learner: Learner
    decisions: float
    env: Env | None = None


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """What is trained, and how.

    Attributes:
      env: the task.
      stages: one after the other; the last one goes on until the run is stopped.
      settings: JSON-like; two runs of the same settings are the same run. Becomes the metadata of
        the policy.
      networks: their sizes.
      mirror: reflection of a symmetric model, or None.
      interval: decisions between two evaluations.
      episodes: of an evaluation.
      evaluation_seed: of their beginnings, the same in every evaluation.
      seed: of everything else that is random.
      evaluation: the task in which all stages are evaluated; `env` if None.
    """

    env: Env
    stages: tuple[Stage, ...]
    settings: dict[str, Any]
    networks: Networks = Networks()
    mirror: Mirror | None = None
    interval: int = 125_000
    episodes: int = 64
    evaluation_seed: int = Trainer.evaluation_seed
    seed: int = 0
    evaluation: Env | None = None

    @property
    def evaluated(self) -> Env:
        """The task in which all stages are evaluated."""
        return self.evaluation or self.env

    def env_of(self, stage: int) -> Env:
        """The task in which a stage learns."""
        return self.stages[stage].env or self.env

    def trainer(self, stage: int) -> Trainer:
        """The trainer of a stage."""
        return Trainer(
            env=self.env_of(stage),
            evaluation_env=self.evaluated,
            learner=self.stages[stage].learner,
            networks=self.networks,
            mirror=self.mirror,
            episodes=self.episodes,
            evaluation_seed=self.evaluation_seed,
        )


@dataclasses.dataclass
class Progress:
    """How far a run is.

    Attributes:
      stage: number of the stage.
      updates: in this stage.
      rows: of the curve.
      decisions: of all worlds in this stage.
      total_decisions: of all worlds in all stages.
      seconds: wall time of updates and evaluations, compiling included.
      cpu_seconds: processor time of the same.
      best_score: of all evaluations.
      best_decisions: of all worlds until then.
      best_seconds: wall time until then.
      best_cpu_seconds: processor time until then.
    """

    stage: int = 0
    updates: int = 0
    rows: int = 0
    decisions: int = 0
    total_decisions: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    best_score: float = -np.inf
    best_decisions: int = 0
    best_seconds: float = 0.0
    best_cpu_seconds: float = 0.0


class Run:
    """A run in its folder.

    Attributes:
      plan: what is trained, and how.
      folder: where it is kept.
      progress: how far it is.
      curve: a row for every update.
      state: all that the next update depends on.
      best: the networks of the best evaluation.
    """

    def __init__(self, plan: Plan, folder: str | os.PathLike[str]) -> None:
        """A run that has not begun; `begin` or `resume` makes its state."""
        self.plan, self.folder = plan, pathlib.Path(folder)
        self.progress, self.curve = Progress(), list[Row]()
        self.state: TrainState | None = None
        self.best: dict[str, Any] = {}
        self._programs: tuple[int, Trainer, Any, Any] | None = None

    def begin(self) -> None:
        """Start at the beginning, and write the first checkpoint; the folder must hold no run.

        Raises:
          FileExistsError: it holds one.
          OSError: it cannot be written to.
        """
        if (self.folder / _CHECKPOINT).exists():
            raise FileExistsError(f"{self.folder} holds a run: resume it, or give another folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        trainer = self._of_stage()[0]
        self.state = trainer.init(jax.random.key(self.plan.seed))
        self.best = _networks(self.state)
        with replacing(self.folder / _SETTINGS) as part:
            part.write_text(json.dumps(self.plan.settings, indent=1) + "\n")
        self.save()

    def resume(self) -> None:
        """Go on from the last checkpoint.

        Raises:
          FileNotFoundError: there is none.
          ValueError: the folder holds a run of other settings.
          ModelMismatchError: the checkpoint is of another version or precision.
        """
        path = self.folder / _CHECKPOINT
        if not path.exists():
            raise FileNotFoundError(f"{self.folder} holds no run: expected {path}")
        written = json.loads((self.folder / _SETTINGS).read_text())
        own = json.loads(json.dumps(self.plan.settings))
        if written != own:
            names = [k for k in {**written, **own} if written.get(k) != own.get(k)]
            raise ValueError(
                f"{self.folder}: expected a run of the same settings, its {', '.join(names)} differ"
            )
        with Archive(path) as archive:
            self.progress.stage = int(archive.read("progress/stage"))
        trainer = self._of_stage()[0]
        like = jax.eval_shape(trainer.init, jax.random.key(0))
        progress = dataclasses.asdict(self.progress)
        stored = {"state": like, "best": _networks(like), "progress": progress}
        loaded = storage.load_state(path, stored)
        self.state, self.best = loaded["state"], loaded["best"]
        self.progress = Progress(**loaded["progress"])
        self.curve = read_curve(self.folder / _CURVE)[: self.progress.rows]

    def advance(self) -> Row:
        """One update, and an evaluation where one is due; adds a row to the curve.

        Raises:
          DivergedError: the networks are no longer finite; the run is as before the update.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        progress = self.progress
        last = len(self.plan.stages) - 1
        if progress.stage < last and progress.decisions >= self._stage.decisions:
            self._next_stage()
        trainer, update, _ = self._of_stage()
        state, numbers = update(self.state)
        row = {name: float(value) for name, value in jax.device_get(numbers).items()}
        if not row.pop("finite"):
            raise DivergedError(
                f"{self.folder}: the networks are no longer finite: expected a smaller "
                "learning_rate, or another seed"
            )
        self.state = state
        before = progress.decisions // self.plan.interval
        progress.updates += 1
        progress.rows += 1
        progress.decisions += trainer.decisions_per_update
        progress.total_decisions += trainer.decisions_per_update
        due = progress.decisions // self.plan.interval > before or progress.updates == 1
        evaluated = self._evaluate() if due else {}
        progress.seconds += time.perf_counter() - wall
        progress.cpu_seconds += time.process_time() - cpu
        row = {
            "stage": float(progress.stage),
            "update": float(progress.updates),
            "decisions": float(progress.total_decisions),
            "seconds": progress.seconds,
            "cpu_seconds": progress.cpu_seconds,
            **row,
            **evaluated,
        }
        self.curve.append(row)
        if due:
            self.save()
        return row

    def save(self) -> None:
        """Write curve, best policy if there is one, and checkpoint, each in one piece.

        Raises:
          OSError: a file cannot be written.
        """
        write_curve(self.folder / _CURVE, self.curve)
        if np.isfinite(self.progress.best_score):
            self.best_policy.save(self.folder / _POLICY)
        progress = dataclasses.asdict(self.progress)
        stored = {"state": self.state, "best": self.best, "progress": progress}
        storage.save_state(self.folder / _CHECKPOINT, stored)

    @property
    def best_policy(self) -> Policy:
        """The best policy of all evaluations, with the settings and its score as metadata."""
        progress = self.progress
        about = {
            **self.plan.settings,
            "decisions": progress.best_decisions,
            "seconds": round(progress.best_seconds, 1),
            "cpu_seconds": round(progress.best_cpu_seconds, 1),
            "score": progress.best_score,
            "versions": {"jax": jax.__version__, "numpy": np.__version__},
        }
        return dataclasses.replace(self.best["policy"], metadata=json.dumps(about))

    @property
    def _stage(self) -> Stage:
        return self.plan.stages[self.progress.stage]

    def _of_stage(self) -> tuple[Trainer, Any, Any]:
        """Trainer, compiled update and evaluation of the present stage, made once."""
        number = self.progress.stage
        if self._programs is None or self._programs[0] != number:
            trainer = self.plan.trainer(number)
            evaluator = trainer.evaluator() if self._programs is None else self._programs[3]
            self._programs = number, trainer, jax.jit(trainer.update), evaluator
        return self._programs[1:]

    def _next_stage(self) -> None:
        """Go on with the best networks, and in the same task with the starts that were reached."""
        assert self.state is not None
        former = dataclasses.replace(self.state, **self.best)
        before = self.plan.env_of(self.progress.stage)
        self.progress.stage += 1
        self.progress.updates = self.progress.decisions = 0
        key = jax.random.fold_in(jax.random.key(self.plan.seed), self.progress.stage)
        trainer = self._of_stage()[0]
        if trainer.env is not before:
            former = dataclasses.replace(former, starts=trainer.initial_starts(key))
        self.state = trainer.init_from(former, key)

    def _evaluate(self) -> Row:
        """Play the evaluation's episodes; keep the networks if they are the best so far."""
        assert self.state is not None
        trainer, _, evaluator = self._of_stage()
        evaluation = evaluator(self.state.averaged_policy)
        progress = self.progress
        if evaluation.score > progress.best_score:
            progress.best_score = evaluation.score
            progress.best_decisions = progress.total_decisions
            progress.best_seconds = progress.seconds  # of the updates before this one
            progress.best_cpu_seconds = progress.cpu_seconds
            self.best = _networks(self.state)
        self.state = trainer.learner.after_evaluation(self.state, evaluation.completed)
        return evaluation.summary()


def _networks(state: TrainState) -> dict[str, Any]:
    """What another stage begins with."""
    return {
        "policy": state.averaged_policy,
        "critics": state.critics,
        "normalizer": state.normalizer,
    }
