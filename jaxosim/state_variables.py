"""The state variables of a model under OpenSim's names, in OpenSim's order, and their defaults.

All that names states has its names from here. A muscle has only the variables that its class and
its options give it.

Source: OpenSim `Component::getStateVariableNames`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax

from jaxosim.muscles import MUSCLES
from jaxosim.types import Model, Params


class StateVariable(NamedTuple):
    """One state variable, and where `State` holds it."""

    field: str
    row: int
    path: str  # OpenSim's, from the root of the model
    other_names: tuple[str, ...]  # without the set, and as in OpenSim 3

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the path first."""
        return (self.path, *self.other_names)


def state_variables(model: Model) -> tuple[StateVariable, ...]:
    """Value and speed of every coordinate, the variables of every muscle and other force."""
    placed = [*_of_coordinates(model), *_of_muscles(model), *_of_forces(model)]
    return tuple(variable for _, variable in sorted(placed, key=lambda one: one[0]))


def state_fields(model: Model) -> dict[str, int]:
    """The fields of `State` that hold states of muscles and other forces, and their lengths."""
    lengths = {name: held.count for name, held in model.muscle_states.items()}
    return {**lengths, "force_states": len(model.force_states.owner)}


def default_states(params: Params) -> dict[str, jax.Array]:
    """Defaults of these fields; fibers are not in equilibrium."""
    fields = {
        "activation": params.muscles.default_activation,
        "fiber_length": params.muscles.default_fiber_length,
    }
    for kind in MUSCLES:
        for mode in kind.MODES:
            name = mode.contraction_state
            if name is not None and name not in fields:
                fields[name] = getattr(getattr(params, kind.FIELD), f"default_{name}")
    return {**fields, "force_states": params.default_force_states}


_Placed = Iterator[tuple[tuple[int, int], StateVariable]]


def _of_coordinates(model: Model) -> _Placed:
    for index, name in enumerate(model.coordinate_names):
        joint = int(model.tree.coordinate_joint[index])
        home, place = model.joint_paths[joint]
        own = name.rpartition("/")[2]  # a name of two joints has the second joint's before it
        for field, what, old in (("q", "value", name), ("u", "speed", f"{name}_u")):
            others = f"{model.joint_names[joint]}/{own}/{what}", old
            yield (place, index), StateVariable(field, index, f"{home}/{own}/{what}", others)


def _of_muscles(model: Model) -> _Placed:
    for order, (field, held) in enumerate(model.muscle_states.items()):
        for muscle, row in zip(held.muscle, held.row, strict=True):
            name = model.muscle_names[muscle]
            yield _of_force(model, name, field, field, int(row), order)


def _of_forces(model: Model) -> _Placed:
    held = model.force_states
    for row, (name, variable) in enumerate(zip(held.owner, held.variable, strict=True)):
        yield _of_force(model, name, variable, "force_states", row, row)


def _of_force(
    model: Model, name: str, variable: str, field: str, row: int, order: int
) -> tuple[tuple[int, int], StateVariable]:
    """A variable of a muscle or other force, and where it stands."""
    home, place = model.force_paths[name]
    others = f"{name}/{variable}", f"{name}.{variable}"
    return (place, order), StateVariable(field, row, f"{home}/{variable}", others)
