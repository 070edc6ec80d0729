"""One period of a walker's motion: for poses in which episodes begin, and as a reference to track.

`textbook_gait` is level walking of healthy adults; `cycle_of_motion` takes a period from a motion.

Source: joint angles after J. Perry and J. Burnfield, "Gait Analysis: Normal and Pathological
Function" (2010), chapters on ankle, knee and hip: the angles at initial contact, loading response,
mid and terminal stance, toe-off and swing, with a smooth curve of few harmonics through them;
stride time and speed of adults, ibidem: 82 m/min at 113 steps/min.
"""

import dataclasses
from collections.abc import Collection

import jax.numpy as jnp
import numpy as np

from jaxosim.checks import check_count, check_positive
from jaxosim.envs import lookup
from jaxosim.types import Model, State

_PHASES = 100
_HARMONICS = 6
# Phase (1) of the gait cycle from initial contact, and angle (degrees).
_HIP_FLEXION = ((0, 25), (0.12, 20), (0.3, 3), (0.5, -12), (0.62, -2), (0.75, 20), (0.87, 29))
_KNEE_FLEXION = (
    *((0, 4), (0.14, 18), (0.4, 5), (0.5, 10)),
    *((0.62, 40), (0.73, 60), (0.85, 30), (0.96, 3)),
)
_ANKLE_DORSIFLEXION = (
    *((0, 0), (0.07, -5), (0.45, 10), (0.55, 0)),
    *((0.63, -18), (0.75, -3), (0.85, 2)),
)
_CURVES = (  # coordinate without its side, curve, sign of OpenSim's coordinate
    ("hip_flexion", _HIP_FLEXION, 1.0),
    ("knee_angle", _KNEE_FLEXION, -1.0),
    ("ankle_angle", _ANKLE_DORSIFLEXION, 1.0),
)
_SPEED = 82 / 60  # m/s
_PERIOD = 2 * 60 / 113  # s, of a stride
_FORWARD = "pelvis_tx"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class GaitCycle:
    """Coordinates over one period, at evenly spaced phases.

    Attributes:
      coordinate_names: of the coordinates that the cycle prescribes.
      q: `[phase, coordinate]` (rad | m).
      q_phase: `[phase, coordinate]` (rad | m) derivative by the phase, which goes from 0 to 1.
      period: (s).
      speed: (m/s) forward.
    """

    coordinate_names: tuple[str, ...]
    q: np.ndarray
    q_phase: np.ndarray
    period: float
    speed: float

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
          ValueError: the period is not positive, or the arrays do not fit the names.
        """
        check_positive("period", self.period)
        shape = (len(self.q), len(self.coordinate_names))
        if len(self.q) < 2 or self.q.shape != shape or self.q_phase.shape != shape:
            raise ValueError(
                f"q, q_phase: expected [phase, coordinate={shape[1]}], two phases at least, got "
                f"{self.q.shape} and {self.q_phase.shape}"
            )

    def places(self, model: Model) -> np.ndarray:
        """Places of the cycle's coordinates in a model, `[coordinate]`.

        Raises:
          ValueError: the model lacks one.
        """
        missing = [name for name in self.coordinate_names if name not in model.coordinate_names]
        if missing:
            raise ValueError(
                f"{model.source}: expected the coordinates of a gait cycle, has no {missing}"
            )
        return lookup.places(lookup.coordinate(model, name) for name in self.coordinate_names)

    def at_speed(self, speed: float) -> "GaitCycle":
        """The same motion at another speed; the period goes with the square root of the speed.

        Cadence and stride length then grow alike, as they do in walking (Grieve and Gear,
        Ergonomics 9, 1966).

        Args:
          speed: (m/s) positive.
        """
        check_positive("speed", speed)
        period = self.period * (self.speed / speed) ** 0.5
        return dataclasses.replace(self, period=period, speed=speed)


def textbook_gait(model: Model, speed: float = 1.25) -> GaitCycle:
    """Hips, knees and ankles of level walking, the left leg half a period after the right one.

    A coordinate with a spring of its own, such as a prosthetic ankle, is passive and left out.

    Args:
      model: whose coordinates are named as OpenSim's gait models name them.
      speed: (m/s) forward.

    Raises:
      ValueError: the model has none of these coordinates, or the speed is not positive.
    """
    passive = {model.coordinate_names[i] for i in model.springs.coordinate}
    columns = {}
    for name, points, sign in _CURVES:
        for side, delay in (("r", 0), ("l", _PHASES // 2)):
            coordinate = f"{name}_{side}"
            if coordinate in model.coordinate_names and coordinate not in passive:
                columns[coordinate] = np.roll(sign * _curve(points), delay, axis=1)
    if not columns:
        raise ValueError(
            f"{model.source}: expected coordinates named as hip_flexion_r, knee_angle_r or "
            "ankle_angle_r"
        )
    q, q_phase = np.stack(list(columns.values()), axis=-1)
    usual = GaitCycle(
        coordinate_names=tuple(columns), q=q, q_phase=q_phase, period=_PERIOD, speed=_SPEED
    )
    return usual.at_speed(speed)


def _curve(points: tuple[tuple[float, float], ...]) -> np.ndarray:
    """A smooth curve through points and its derivative by the phase, `[2, phase]` (rad)."""
    phases, degrees = np.array(points).T
    values = np.interp(np.arange(_PHASES) / _PHASES, phases, degrees, period=1.0)
    return np.radians(_smooth(values[:, None], _HARMONICS)[..., 0])


def _smooth(values: np.ndarray, harmonics: int) -> np.ndarray:
    """A periodic curve `[phase, column]` by few harmonics, and its derivative: `[2, ...]`."""
    terms = np.fft.rfft(values, axis=0)
    terms[harmonics + 1 :] = 0.0
    order = 2j * np.pi * np.arange(len(terms))[:, None]
    return np.stack([np.fft.irfft(part, len(values), axis=0) for part in (terms, order * terms)])


def cycle_of_motion(
    model: Model,
    states: State,
    *,
    start: float | None = None,
    end: float | None = None,
    phases: int = _PHASES,
    coordinate_names: Collection[str] | None = None,
) -> GaitCycle:
    """A gait cycle from a motion, such as `sto.read_motion` reads from a `.mot` or `.sto` file.

    What is left at its end of the difference from its beginning is taken out evenly. The pelvis's
    position forward, sideways and its heading are left out: a start may be anywhere.

    Args:
      model: whose motion it is.
      states: `[time]` leads; only time and coordinates are used.
      start: (s) beginning of the period; of the motion if None.
      end: (s) its end; of the motion if None.
      phases: number of phases.
      coordinate_names: of the coordinates that the cycle prescribes, such as those that the file of
        the motion has; all but those named above if None.

    Raises:
      ValueError: the motion does not contain the period, the model has no `pelvis_tx`, or none of
        the coordinates.
    """
    check_count("phases", phases)
    if _FORWARD not in model.coordinate_names:
        raise ValueError(f"{model.source}: expected a coordinate {_FORWARD}")
    time, q = np.asarray(states.time, float), np.asarray(states.q, float)
    start = float(time[0]) if start is None else start
    end = float(time[-1]) if end is None else end
    if not time[0] <= start < end <= time[-1]:
        raise ValueError(
            f"start, end: expected a period within {time[0]:g} to {time[-1]:g} s, got {start:g} to "
            f"{end:g} s"
        )
    at = np.linspace(start, end, phases + 1)
    q = np.stack([np.interp(at, time, column) for column in q.T], axis=1)
    forward = lookup.coordinate(model, _FORWARD)
    distance = q[-1, forward] - q[0, forward]
    q = q - np.linspace(0.0, 1.0, phases + 1)[:, None] * (q[-1] - q[0])
    kept = _prescribed(model, coordinate_names)
    q, q_phase = _smooth(q[:-1, kept], phases // 4)
    return GaitCycle(
        coordinate_names=tuple(model.coordinate_names[i] for i in kept),
        q=q,
        q_phase=q_phase,
        period=end - start,
        speed=float(distance / (end - start)),
    )


def _prescribed(model: Model, chosen: Collection[str] | None) -> list[int]:
    """Places of the coordinates that a cycle of a motion prescribes.

    Raises:
      ValueError: there are none.
    """
    left_out = (_FORWARD, "pelvis_tz", "pelvis_rotation")
    kept = [
        place
        for place, name in enumerate(model.coordinate_names)
        if name not in left_out and not model.locked[place] and (chosen is None or name in chosen)
    ]
    if not kept:
        raise ValueError(
            f"coordinate_names: expected coordinates of {model.source} that are not locked, beside "
            f"{', '.join(left_out)}"
        )
    return kept


def distance_to_cycle(
    cycle: GaitCycle,
    places: np.ndarray,
    q: jnp.ndarray,
    u: jnp.ndarray | None = None,
    *,
    duration: float = 0.0,
    pace: jnp.ndarray | float = 1.0,
) -> jnp.ndarray:
    """Squared distance (rad²) of a pose, or of a motion, from the nearest phase of a cycle.

    Args:
      cycle: the reference.
      places: of its coordinates, from `GaitCycle.places`.
      q: `[coordinate]` (rad | m) of the model.
      u: `[coordinate]` (rad/s | m/s) of the model; None for a pose.
      duration: (s) by which deviations of the speeds are multiplied.
      pace: (1) of the cycle, relative to its period.
    """
    miss = jnp.asarray(cycle.q, q.dtype) - q[places][None]
    square = jnp.sum(miss * miss, axis=1)
    if u is not None:
        speeds = jnp.asarray(cycle.q_phase / cycle.period, u.dtype) * pace
        miss = duration * (speeds - u[places][None])
        square = square + jnp.sum(miss * miss, axis=1)
    return jnp.min(square)
