"""Control steps of many worlds of one task as one call, each to the bit as it would be alone."""

import dataclasses
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxosim.envs.episode import EnvState
from jaxosim.fused.operation import operation_p
from jaxosim.host.forks import check_process
from jaxosim.osim_rl.compiled_env import CompiledEnv
from jaxosim.osim_rl.osim_model import OsimModel
from jaxosim.serve.packing import Packing, Rows

# Worlds of a call, which is filled up to the next of these. Each is a program to be compiled around
# the one kernel; a vector of worlds that are added costs as much as any other. More worlds delay
# those that come first.
SIZES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128)


class Stepper:
    """Steps worlds of one compiled task.

    A fused kernel gives a world the same numbers in a batch as alone. Where a task's step is not
    one kernel, XLA may compile a batch to other arithmetic, so its worlds are stepped one by one.
    """

    def __init__(self, compiled: CompiledEnv) -> None:
        """Take the task; nothing is compiled yet."""
        self._compiled = compiled
        self._is_one_kernel: bool | None = None
        self._batch: tuple[Packing, Callable[[Rows, np.ndarray], Rows]] | None = None
        # The row of a world that was stepped here.
        self._rows: weakref.WeakKeyDictionary[OsimModel, tuple[EnvState, Rows]]
        self._rows = weakref.WeakKeyDictionary()

    def integrate(self, models: Sequence[OsimModel]) -> None:
        """Carry each world through one control step under its own excitations.

        Args:
          models: with the model file's own numbers, which are compiled in.
        """
        if not models:
            return
        check_process()
        if len(models) == 1 or not self._is_batchable(models[0]):
            for model in models:
                model.integrate()
            return
        for first in range(0, len(models), SIZES[-1]):
            self._integrate_batch(models[first : first + SIZES[-1]])

    def _is_batchable(self, model: OsimModel) -> bool:
        """Whether a step is one kernel; found out once."""
        if self._is_one_kernel is None:
            jaxpr = jax.make_jaxpr(self._compiled.step)(model.present, model.action).jaxpr
            while len(jaxpr.eqns) == 1 and "jaxpr" in jaxpr.eqns[0].params:
                jaxpr = jaxpr.eqns[0].params["jaxpr"].jaxpr
            self._is_one_kernel = [eqn.primitive for eqn in jaxpr.eqns] == [operation_p]
        return self._is_one_kernel

    def _integrate_batch(self, models: Sequence[OsimModel]) -> None:
        """One call; the batch is filled up with its last world."""
        if self._batch is None:
            self._batch = self._compile(models[0].present)
        packing, step = self._batch
        size = next(size for size in SIZES if size >= len(models))
        rows = [self._row(packing, model) for model in models]
        rows += rows[-1:] * (size - len(models))
        action = np.stack([model.action for model in models])
        action = np.concatenate([action, *[action[-1:]] * (size - len(models))])
        after = jax.device_get(step(packing.stack(rows), action))
        worlds = packing.worlds({name: part[: len(models)] for name, part in after.items()})
        for place, (model, own) in enumerate(zip(models, worlds, strict=True)):
            model.world = _with_key(own, model.present.key)
            row = {name: part[place : place + 1] for name, part in after.items()}
            self._rows[model] = model.world, row

    def _row(self, packing: Packing, model: OsimModel) -> Rows:
        """What a world does not share."""
        world, row = self._rows.get(model, (None, {}))
        if world is not model.present:
            row = packing.row(_with_key(model.present, None))
        return row

    def _compile(self, example: EnvState) -> tuple[Packing, Callable[[Rows, np.ndarray], Rows]]:
        """A step of a batch of worlds; no kernel takes a key, so any does."""
        packing = Packing(_with_key(example, None))

        def one(world: EnvState, action: jax.Array) -> EnvState:
            return _with_key(self._compiled.step(_with_key(world, example.key), action), None)

        def many(rows: Rows, action: jax.Array) -> Rows:
            return packing.pack(jax.vmap(one)(packing.unpack(rows), action))

        return packing, jax.jit(many)


def _with_key(es: EnvState, key: Any) -> EnvState:
    """The same world with another key."""
    return dataclasses.replace(es, key=key)
