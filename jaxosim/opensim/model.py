"""A model in a live OpenSim 4.6 that returns NumPy arrays.

Everything is in the order of OpenSim's sets (the file's order): coordinates, bodies, joints,
muscles, forces, markers; controls are in that of OpenSim's `Model::getControls`. Frames, signs and
units are OpenSim's: ground frame, rad, m, N, s.

Two properties of the library determine this design. Values written into a state by name do not
invalidate what a muscle has already computed at that state, so every evaluation starts from a
fresh copy of the initial state. And the Python proxies do not keep the C++ objects alive that they
point into, so the model, its sets and the control functions stay referenced here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxosim.opensim import moment_arms, reading
from jaxosim.opensim.library import opensim, restore_defaults
from jaxosim.opensim.reading import Arrays
from jaxosim.opensim.refinement import Refinement


class OpenSimModel:
    """One `.osim` model in OpenSim; its controls are set from Python.

    Attributes:
      coordinate_names, body_names, joint_names, muscle_names, force_names, marker_names: tuples
        of str; forces are those that are applied, and muscles.
      state_names: paths of the state variables.
      control_count: number of controls, six for each BodyActuator.
      rotational: [coordinate] bool, False where the coordinate is a length.
      locked: [coordinate] bool, locked by the file.
      ranges: [coordinate, 2] (rad | m).
      defaults: [coordinate] (rad | m).
      vertical: index of the coordinate that lifts the whole model along y, or None.
      refinement: of its accelerations.
    """

    def __init__(
        self, path: str | os.PathLike, edit: Callable[[opensim.Model], object] | None = None
    ):
        """Load a model.

        Controls are OpenSim's default controls, to which the model's controllers add.

        Args:
          path: the `.osim` file.
          edit: changes properties of the model before its system is built.

        Raises:
          RuntimeError: OpenSim refuses the model.
        """
        try:
            self.model = opensim.Model(str(path))
        finally:
            restore_defaults()
        self.model.finalizeFromProperties()
        if edit is not None:
            edit(self.model)
        self._initial = opensim.State(self.model.initSystem())
        self._collect_members()
        self._collect_coordinate_facts()

    # ---- what the model holds ------------------------------------------------------------
    def _collect_members(self) -> None:
        """Keep every member of the model's sets, and their names.

        Bodies, joints and muscles may also be among the model's `components`, which come first;
        slaves of bodies that are the child of two joints come last.
        """
        model = self.model
        self._coordinates = reading.members(model.getCoordinateSet())
        self._bodies = list(model.getBodyList())
        self._joints = list(model.getJointList())
        self._muscles = list(model.getMuscleList())
        self._forces = reading.applied(reading.members(model.getForceSet()))
        self._markers = reading.members(model.getMarkerSet())
        self.control_count = model.getNumControls()
        self.coordinate_names = reading.names(self._coordinates)
        self.body_names = reading.names(self._bodies)
        self.joint_names = reading.names(self._joints)
        self.muscle_names = reading.names(self._muscles)
        self.force_names = reading.names(self._forces)
        self.marker_names = reading.names(self._markers)
        variables = model.getStateVariableNames()
        self.state_names = tuple(variables.get(index) for index in range(variables.getSize()))
        self._state_paths = reading.state_paths(self._muscles, self.state_names)

    def _collect_coordinate_facts(self) -> None:
        """Read locks, ranges and defaults; find each coordinate's place in Simbody's q and u."""
        state, coordinates = opensim.State(self._initial), self._coordinates
        translational = opensim.Coordinate.Translational
        self.rotational = np.array([c.getMotionType() != translational for c in coordinates])
        self.locked = np.array([c.getLocked(state) for c in coordinates], bool)
        self.ranges = np.array([[c.getRangeMin(), c.getRangeMax()] for c in coordinates])
        self.defaults = np.array([c.getValue(state) for c in coordinates])
        for coordinate in coordinates:
            coordinate.setLocked(state, False)
        self._mobility = np.zeros(len(coordinates), int)
        for index, coordinate in enumerate(coordinates):
            state.setU(opensim.Vector(state.getNU(), 0.0))
            coordinate.setSpeedValue(state, 1.0)
            self._mobility[index] = np.flatnonzero(state.getU().to_numpy())[0]
        self.vertical = self._find_vertical(state)
        self.refinement = Refinement(self.model, self._mobility, self.locked)

    def _find_vertical(self, state: opensim.State) -> int | None:
        """Index of the coordinate whose unit speed moves the mass center by one along y."""
        for index, coordinate in enumerate(self._coordinates):
            state.setU(opensim.Vector(state.getNU(), 0.0))
            coordinate.setSpeedValue(state, 1.0)
            self.model.realizeVelocity(state)
            velocity = reading.vector3(self.model.calcMassCenterVelocity(state))
            if not self.rotational[index] and np.allclose(velocity, (0.0, 1.0, 0.0), atol=1e-9):
                return index
        return None

    # ---- states --------------------------------------------------------------------------
    def state_of(self, values: Mapping[str, np.ndarray]) -> opensim.State:
        """A fresh OpenSim state with these values; excitations become the default controls.

        Locked coordinates are unlocked, set and locked again, so they hold the given value.

        Args:
          values: q, u, and where wanted excitation and the muscles' states as in `read`.

        Returns:
          A state of our own, not realized beyond what setting it needs.
        """
        state = opensim.State(self._initial)
        state.setTime(0.0)
        for index, coordinate in enumerate(self._coordinates):
            q, u = float(values["q"][index]), float(values["u"][index])
            if self.locked[index]:
                coordinate.setLocked(state, False)
            coordinate.setValue(state, q, False)
            coordinate.setSpeedValue(state, u)
            if self.locked[index]:
                coordinate.setLocked(state, True)
        for field, paths in self._state_paths.items():
            self._set_variables(state, paths, values.get(field))
        self.set_controls(values.get("excitation", np.zeros(self.control_count)))
        return state

    def _set_variables(self, state, paths: list[str], values: np.ndarray | None) -> None:
        if values is None:
            return
        for path, value in zip(paths, values, strict=True):
            with contextlib.suppress(RuntimeError):  # not every muscle has the variable
                self.model.setStateVariableValue(state, path, float(value))

    def set_controls(self, controls: np.ndarray) -> None:
        """Set the controls, [control] (1), from the next instant on at which they are computed."""
        self.model.setDefaultControls(opensim.Vector.createFromMat(np.array(controls, float)))

    def read(self, state: opensim.State) -> Arrays:
        """Values of a state: q, u [coordinate], activation, fiber_length [muscle], and others.

        Those are `normalized_tendon_force`, over the muscles that could have it, and
        `force_states`, of other forces; NaN where a muscle has no such state.
        """
        return {
            "q": np.array([c.getValue(state) for c in self._coordinates]),
            "u": np.array([c.getSpeedValue(state) for c in self._coordinates]),
            **{name: self._variables(state, name) for name in self._state_paths},
        }

    def _variables(self, state, field: str, derivative: bool = False) -> np.ndarray:
        model = self.model
        read = model.getStateVariableDerivativeValue if derivative else model.getStateVariableValue
        return np.array([reading.or_nan(read, state, path) for path in self._state_paths[field]])

    # ---- everything OpenSim reports at a state ---------------------------------------------
    def evaluate(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Everything OpenSim reports at one state.

        Args:
          values: one state: q, u, activation, fiber_length, excitation [control].

        Returns:
          Rates `q_dot, u_dot, activation_rate, fiber_length_rate, normalized_tendon_force_rate,
          force_states_rate`, zero for a muscle without such a state; `body_…` as position,
          rotation, angles, velocity, angular_velocity, acceleration, angular_acceleration;
          `mass_center_…` and `marker_…` as position, velocity, acceleration; `muscle_…` as in
          reading.MUSCLE_GETTERS; `muscle_moment_arm` and `muscle_moment_arm_rounding` [muscle,
          coordinate], see `moment_arms`; `refined_…` accelerations, see `refinement`; `records`, a
          dict from force name to record values.
        """
        state = self.state_of(values)
        self.model.realizeAcceleration(state)
        report: dict[str, Any] = self._rates(state)
        report |= reading.body_motion(self._bodies, state)
        report |= reading.mass_center_motion(self.model, state)
        report |= reading.marker_motion(self._markers, state)
        report |= reading.muscle_report(self._muscles, state)
        report |= self.refinement.refined(state, report)
        arms, rounding = self._moment_arm(state)
        report |= {"muscle_moment_arm": arms, "muscle_moment_arm_rounding": rounding}
        report["records"] = {
            name: reading.array_of(force.getRecordValues(state))
            for name, force in zip(self.force_names, self._forces, strict=True)
        }
        return report

    def evaluate_all(self, states: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """`evaluate` at each of `[state, …]` states, stacked: `[state, …]`, also within records."""
        count = len(states["q"])
        reports = [
            self.evaluate({key: value[index] for key, value in states.items()})
            for index in range(count)
        ]
        stacked: dict[str, Any] = {
            key: np.stack([r[key] for r in reports]) for key in reports[0] if key != "records"
        }
        stacked["records"] = {
            name: np.stack([r["records"][name] for r in reports]) for name in self.force_names
        }
        return stacked

    def motion_residual(self, values: Mapping[str, np.ndarray], u_dot: np.ndarray) -> float:
        """Largest force missing in OpenSim's equations of motion for these accelerations (1).

        Relative to max(1, largest generalized force that accelerates the model).

        Args:
          values: one state.
          u_dot: [coordinate] accelerations to try.
        """
        state = self.state_of(values)
        self.model.realizeAcceleration(state)
        free = self.refinement.free
        missing = self.refinement.missing(state, np.where(free, u_dot, 0.0))
        force = self.refinement.residual(state, np.zeros_like(u_dot))[free]
        return float(np.abs(missing).max() / max(1.0, np.abs(force).max()))

    def _rates(self, state: opensim.State) -> Arrays:
        q_dot = state.getQDot().to_numpy()
        return {
            "joint_position": np.array([c.getValue(state) for c in self._coordinates]),
            "joint_velocity": np.array([c.getSpeedValue(state) for c in self._coordinates]),
            "q_dot": q_dot[self._mobility],
            "u_dot": np.array([c.getAccelerationValue(state) for c in self._coordinates]),
            **{
                f"{name}_rate": np.nan_to_num(self._variables(state, name, derivative=True))
                for name in self._state_paths
            },
        }

    def _moment_arm(self, state: opensim.State) -> tuple[np.ndarray, np.ndarray]:
        """Moment arms [muscle, coordinate] (m | 1), and the rounding of OpenSim's.

        In a model without constraints generalized forces of the paths at unit tension; in one with
        constraints OpenSim's moment arms, see `moment_arms`.
        """
        if self.model.getConstraintSet().getSize():
            parts = state, self._muscles, self._coordinates, self._mobility
            return moment_arms.coupled(self.model, *parts)
        arms = moment_arms.of_tension(self.model, state, self._muscles, self._mobility)
        return arms, np.zeros_like(arms)

    # ---- equilibrium and trajectories --------------------------------------------------------
    def equilibrium(self, q: np.ndarray, u: np.ndarray, activation: np.ndarray) -> np.ndarray:
        """Fiber lengths that OpenSim calls equilibrium, [muscle] (m); NaN where it finds none.

        Args:
          q: [coordinate] (rad | m).
          u: [coordinate] (rad/s | m/s).
          activation: [muscle] (1).
        """
        state = self.state_of({"q": q, "u": u, "activation": activation})
        self.model.realizeVelocity(state)
        failed = []
        for index, muscle in enumerate(self._muscles):
            try:
                muscle.computeEquilibrium(state)
            except RuntimeError:
                failed.append(index)
        fiber_length = self._variables(state, "fiber_length")
        fiber_length[failed] = np.nan
        return fiber_length

    def state_count(self, field: str) -> int:
        """Number of entries of one of the values of `read` other than q and u."""
        return len(self._state_paths[field])

    def path_length(self, q: np.ndarray) -> np.ndarray:
        """Length of each muscle's path in a pose, [muscle] (m)."""
        state = self.state_of({"q": q, "u": np.zeros_like(q)})
        self.model.realizePosition(state)
        return np.array([muscle.getLength(state) for muscle in self._muscles])

    def lowest_contact(self, q: np.ndarray) -> float | None:
        """Height of the lowest point of all contact spheres over ground's y = 0 (m), or None."""
        state = self.state_of({"q": q, "u": np.zeros_like(q)})
        self.model.realizePosition(state)
        geometries = reading.members(self.model.getContactGeometrySet())
        return reading.lowest_sphere(geometries, state)

    def muscle_lengths(self) -> Arrays:
        """What sampling needs: optimal_fiber_length, tendon_slack_length, width, [muscle] (m)."""
        muscles = self._muscles
        optimal = np.array([m.getOptimalFiberLength() for m in muscles])
        pennation = np.array([m.getPennationAngleAtOptimalFiberLength() for m in muscles])
        return {
            "optimal_fiber_length": optimal,
            "tendon_slack_length": np.array([m.getTendonSlackLength() for m in muscles]),
            "width": optimal * np.sin(pennation),
        }

    def trajectory(
        self,
        excitations: np.ndarray,
        dt: float = 0.01,
        accuracy: float = 1e-9,
        start: Mapping[str, np.ndarray] | None = None,
        fresh_manager_each_step: bool = True,
    ) -> Arrays:
        """Integrate with Runge-Kutta-Merson, excitations held within a step.

        Args:
          excitations: [step, control] (1), each held for `dt`.
          dt: (s) length of a step.
          accuracy: of OpenSim's Manager.
          start: as for `initial_state`.
          fresh_manager_each_step: a new Manager for each step. Otherwise one Manager continues, as
            in osim-rl, and its first stage after a change still uses the previous excitation.

        Returns:
          As `read`, each with a leading axis [step+1].
        """
        state = self.initial_state(start)
        samples, manager = [self.read(state)], None
        for index, excitation in enumerate(excitations):
            self.set_controls(excitation)
            if manager is None or fresh_manager_each_step:
                manager = self.manager_at(state, index * dt, accuracy)
            state = manager.integrate((index + 1) * dt)
            samples.append(self.read(state))
        return {key: np.stack([sample[key] for sample in samples]) for key in samples[0]}

    def replay(self, path: str | os.PathLike) -> Arrays:
        """Values of every row of a states table, as OpenSim's own tools read it.

        Args:
          path: a `.sto` file of this model.
        """
        table = opensim.TimeSeriesTable(str(path))
        states = opensim.StatesTrajectory.createFromStatesTable(self.model, table)
        samples = [self.read(states.get(row)) for row in range(states.getSize())]
        return {key: np.stack([sample[key] for sample in samples]) for key in samples[0]}

    def rest(self) -> Arrays:
        """Values of the default pose at rest, muscles equilibrated; as `read`."""
        return self.read(self.initial_state())

    def initial_state(self, values: Mapping[str, np.ndarray] | None = None) -> opensim.State:
        """A state to start from; muscles are equilibrated unless fiber lengths are given.

        Args:
          values: q (rad | m), u (rad/s | m/s) `[coordinate]`, activation (1), fiber_length (m)
            `[muscle]`, all optional: by default the default pose at rest.
        """
        pose = {"q": self.defaults, "u": np.zeros_like(self.defaults)}
        state = self.state_of({**pose, **(values or {})})
        if "fiber_length" not in (values or {}):
            self.model.equilibrateMuscles(state)
        return state

    def manager_at(self, state: opensim.State, time: float, accuracy: float) -> opensim.Manager:
        """A new integrator at a copy of a state: an old one keeps its own state.

        Args:
          state: to start from.
          time: (s) of the start.
          accuracy: of the integrator.
        """
        start = opensim.State(state)
        start.setTime(time)
        manager = opensim.Manager(self.model)
        manager.setIntegratorAccuracy(accuracy)
        manager.initialize(start)
        return manager
