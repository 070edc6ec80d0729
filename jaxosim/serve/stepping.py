"""Control steps of many worlds of one task as one call, each to the bit as it would be alone."""

import dataclasses
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
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
          models: with the model file's own numbers.
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
        for place, model in enumerate(models):
            row = {name: part[place : place + 1] for name, part in after.items()}
            own = packing.world(row)
            model.world = _with_shared(own, model.present.params, model.present.key)
            self._rows[model] = model.world, row

    def _row(self, packing: Packing, model: OsimModel) -> Rows:
        """What a world does not share."""
        world, row = self._rows.get(model, (None, {}))
        if world is not model.present:
            row = packing.row(_with_shared(model.present, None, None))
        return row

    def _compile(self, shared: EnvState) -> tuple[Packing, Callable[[Rows, np.ndarray], Rows]]:
        """A step of a batch of worlds that share numbers and key with this one.

        Each world is given numbers of its own: what a kernel works out of shared ones it works out
        apart, once for all worlds, and rounds otherwise than in a single world.
        """
        packing = Packing(_with_shared(shared, None, None))

        def one(params: Any, varying: EnvState, action: jax.Array) -> EnvState:
            es = self._compiled.step(_with_shared(varying, params, shared.key), action)
            return _with_shared(es, None, None)

        def many(rows: Rows, action: jax.Array) -> Rows:
            count = len(action)
            own = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *x.shape)), shared.params)
            return packing.pack(jax.vmap(one)(own, packing.unpack(rows), action))

        return packing, jax.jit(many)


def _with_shared(es: EnvState, params: Any, key: Any) -> EnvState:
    """The same world with other numbers and another key."""
    return dataclasses.replace(es, params=params, key=key)
