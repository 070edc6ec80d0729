"""Control steps of many worlds of one task as one call, each to the bit as it would be alone."""

import dataclasses
import weakref
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.envs.episode import EnvState
from jaxosim.fused.operation import operation_p
from jaxosim.host.forks import check_process
from jaxosim.osim_rl.compiled_env import CompiledEnv
from jaxosim.osim_rl.osim_model import OsimModel

# Worlds of a call, which is filled up to the next of these. Each is a program to be compiled around
# the one kernel; a vector of worlds that are added costs as much as any other. More worlds delay
# those that come first.
SIZES = tuple(range(8, 129, 8))


class Stepper:
    """Steps worlds of one compiled task.

    A fused kernel gives a world the same numbers in a batch as alone. Where a task's step is not
    one kernel, XLA may compile a batch to other arithmetic, so its worlds are stepped one by one.
    """

    def __init__(self, compiled: CompiledEnv) -> None:
        """Take the task; nothing is compiled yet."""
        self._compiled = compiled
        self._is_one_kernel: bool | None = None
        self._many = jax.jit(self._batch)
        # What `_row` gives of a world that was stepped here.
        self._rows: weakref.WeakKeyDictionary[OsimModel, tuple[EnvState, list[np.ndarray]]]
        self._rows = weakref.WeakKeyDictionary()

    def _batch(self, params: Any, key: Any, varying: EnvState, action: jax.Array) -> EnvState:
        """A step of every world.

        Each world is given numbers of its own: what a kernel works out of shared ones it works out
        apart, once for all worlds, and rounds otherwise than in a single world.
        """
        count = len(action)
        own = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), params)
        return jax.vmap(self._one, in_axes=(0, None, 0, 0))(own, key, varying, action)

    def _one(self, params: Any, key: Any, varying: EnvState, action: jax.Array) -> EnvState:
        """A step of a world, without what all worlds share."""
        es = self._compiled.step(_with_shared(varying, params, key), action)
        return _with_shared(es, None, None)

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
        shared = models[0].present
        size = next(size for size in SIZES if size >= len(models))
        filled = [*models, *[models[-1]] * (size - len(models))]
        rows = [self._row(model) for model in filled]
        columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
        action = np.stack([model.action for model in filled])
        tree = jax.tree.structure(_with_shared(shared, None, None))
        varying = jax.tree.unflatten(tree, columns)
        after = jax.device_get(self._many(shared.params, shared.key, varying, action))
        leaves, tree = jax.tree.flatten(after)
        for place, model in enumerate(models):
            row = [leaf[place : place + 1] for leaf in leaves]
            own = jax.tree.unflatten(tree, [leaf[0] for leaf in row])
            model.world = _with_shared(own, model.present.params, model.present.key)
            self._rows[model] = model.world, row

    def _row(self, model: OsimModel) -> list[np.ndarray]:
        """What a world does not share, each leaf with an axis for the batch."""
        world, row = self._rows.get(model, (None, []))
        if world is not model.present:
            leaves = jax.tree.leaves(_with_shared(model.present, None, None))
            row = [np.asarray(leaf)[None] for leaf in leaves]
        return row


def _with_shared(es: EnvState, params: Any, key: Any) -> EnvState:
    """The same world with other numbers and another key."""
    return dataclasses.replace(es, params=params, key=key)
