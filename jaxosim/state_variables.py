"""The state variables of a model under OpenSim's names, in OpenSim's order.

All that names states has its names from here. A muscle has only the variables that its class and
its options give it.

Source: OpenSim `Component::getStateVariableNames`.
"""

from typing import NamedTuple

from jaxosim.types import Model


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
    """Value and speed of every coordinate, then the variables of every muscle."""
    return (*_of_coordinates(model), *_of_muscles(model))


def _of_coordinates(model: Model) -> list[StateVariable]:
    variables = []
    for index, name in enumerate(model.coordinate_names):
        joint = model.joint_names[int(model.tree.coordinate_joint[index])]
        own = name.rpartition("/")[2]  # a name of two joints has the second joint's before it
        for field, what, old in (("q", "value", name), ("u", "speed", f"{name}_u")):
            short = f"{joint}/{own}/{what}"
            variables.append(StateVariable(field, index, f"/jointset/{short}", (short, old)))
    return variables


def _of_muscles(model: Model) -> list[StateVariable]:
    places = sorted(
        (int(muscle), place, field, int(row))
        for place, (field, held) in enumerate(model.muscle_states.items())
        for muscle, row in zip(held.muscle, held.row, strict=True)
    )
    variables = []
    for muscle, _, field, row in places:
        name = model.muscle_names[muscle]
        others = f"{name}/{field}", f"{name}.{field}"
        variables.append(StateVariable(field, row, f"/forceset/{name}/{field}", others))
    return variables
