"""Play a rollout's excitations in live OpenSim: the same model, start and numbers.

Used by `optimise_excitations.py`; needs the extra `opensim`.
"""

import jax.numpy as jnp
import numpy as np
import opensim

import jaxosim

FIELDS = ("q", "u", "activation", "fiber_length")


class OpenSim:
    """A model in live OpenSim, every muscle under an excitation that can be set.

    Python's handles do not keep alive what they are part of, so the model stays with them.
    """

    def __init__(self, model: jaxosim.Model, params: jaxosim.Params) -> None:
        """Read the model's file, and make its springs as stiff as in the params.

        Args:
          model: read from a file that OpenSim reads too.
          params: of its numbers only the stiffness of the springs is looked at.
        """
        opensim.Logger.setLevelString("Error")
        self.model = opensim.Model(model.source)
        stiffness = np.asarray(params.springs.stiffness, float)
        for name, value in zip(model.springs.names, stiffness, strict=True):
            force = self.model.updForceSet().get(name)
            opensim.SpringGeneralizedForce.safeDownCast(force).setStiffness(value)
        controller = opensim.PrescribedController()
        muscles = [self.model.getMuscles().get(name) for name in model.muscle_names]
        self.paths = [muscle.getAbsolutePathString() for muscle in muscles]
        for muscle, path in zip(muscles, self.paths, strict=True):
            controller.addActuator(muscle)
            controller.prescribeControlForActuator(path, opensim.Constant(0.0))
        self.model.addController(controller)
        self.start = self.model.initSystem()
        functions = controller.get_ControlFunctions()
        each = [functions.get(index) for index in range(functions.getSize())]
        self.excitations = [opensim.Constant.safeDownCast(function) for function in each]
        self.kept = controller, functions, muscles
        names = model.coordinate_names
        self.coordinates = [self.model.getCoordinateSet().get(name) for name in names]

    def play(
        self, start: jaxosim.State, excitations: np.ndarray, accuracy: float = 5e-5
    ) -> jaxosim.State:
        """What `jaxosim.rollout` does: each row of excitations is held for a control step.

        Args:
          start: one world; its time is taken for zero.
          excitations: `[time, muscle]` (1).
          accuracy: of OpenSim's integrator, which starts anew with each excitation.

        Returns:
          The states after each control step, `[time, ...]`.
        """
        seconds, state, rows = jaxosim.Options().step_size, self._state_of(start), []
        for index, row in enumerate(np.asarray(excitations, float)):
            for function, value in zip(self.excitations, row, strict=True):
                function.setValue(value)
            state = opensim.State(state)  # the manager before takes its own along
            state.setTime(index * seconds)
            manager = opensim.Manager(self.model)
            manager.setIntegratorAccuracy(accuracy)
            manager.initialize(state)
            state = manager.integrate((index + 1) * seconds)
            rows.append(self._read(state))
        columns = (jnp.asarray(np.stack(column), jnp.float32) for column in zip(*rows, strict=True))
        time = jnp.asarray(np.arange(1, len(rows) + 1) * seconds, jnp.float32)
        return jaxosim.State(time=time, **dict(zip(FIELDS, columns, strict=True)))

    def _state_of(self, start: jaxosim.State) -> opensim.State:
        """The same state in OpenSim; locked coordinates keep their values."""
        state = opensim.State(self.start)
        for coordinate, q, u in zip(self.coordinates, start.q, start.u, strict=True):
            if not coordinate.getLocked(state):
                coordinate.setValue(state, float(q), False)
                coordinate.setSpeedValue(state, float(u))
        for name in FIELDS[2:]:
            for path, value in zip(self.paths, getattr(start, name), strict=True):
                self.model.setStateVariableValue(state, f"{path}/{name}", float(value))
        return state

    def _read(self, state: opensim.State) -> tuple[list[float], ...]:
        """Values of the fields of a State."""
        read = self.model.getStateVariableValue
        return (
            [coordinate.getValue(state) for coordinate in self.coordinates],
            [coordinate.getSpeedValue(state) for coordinate in self.coordinates],
            *([read(state, f"{path}/{name}") for path in self.paths] for name in FIELDS[2:]),
        )
