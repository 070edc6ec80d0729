"""Properties of a Millard2012EquilibriumMuscle's four curves, and the control points they mean.

On the host. Lengths and velocities are normalized, forces are multiples of max_isometric_force.

Source: Millard et al. (2013), J. Biomech. Eng. 135:021005; OpenSim `ActiveForceLengthCurve`,
`FiberForceLengthCurve`, `TendonForceLengthCurve`, `ForceVelocityCurve`,
`SmoothSegmentedFunctionFactory`; see docs/theory/muscles.md, "Millard's curves".
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from jaxosim.models.osim.context import Context
from jaxosim.models.osim.values import numbers
from jaxosim.models.osim.xml import Element

_ROOT_EPSILON = float(np.sqrt(np.finfo(float).eps))
_LEAST_FORCE_WITHOUT_DAMPING = 0.1  # of the active curve: without overlap a velocity is infinite

_Corner = tuple[float, float, float]
"""A point of a curve and the slope there: (x, y, dy/dx)."""


@dataclass(frozen=True)
class ActiveForceLengthCurve:
    """Overlap by normalized fiber length, with the defaults of OpenSim 4.6."""

    min_norm_active_fiber_length: float = 0.47 - 0.0259
    transition_norm_fiber_length: float = 0.73
    max_norm_active_fiber_length: float = 1.8123
    shallow_ascending_slope: float = 0.8616
    minimum_value: float = 0.1

    def points(self, regular: bool) -> np.ndarray:
        """Control points `[5, 4, 2]`, with the minimum that OpenSim sets.

        Args:
          regular: whether the fiber is damped or the tendon rigid.

        Raises:
          ValueError: the properties are not those of such a curve; the message says what is.
        """
        low = 0.0 if regular else max(self.minimum_value, _LEAST_FORCE_WITHOUT_DAMPING)
        start, turn = self.min_norm_active_fiber_length, self.transition_norm_fiber_length
        end, slope = self.max_norm_active_fiber_length, self.shallow_ascending_slope
        _expect(self.minimum_value >= 0, "minimum_value of 0 or more")
        _expect(
            0 <= start < turn - _ROOT_EPSILON
            and turn < 1 - _ROOT_EPSILON < end - 2 * _ROOT_EPSILON,
            "0 <= min_norm_active_fiber_length < transition_norm_fiber_length < 1 < "
            "max_norm_active_fiber_length",
        )
        _expect(
            0 <= slope < (1 - low) / (1 - turn),
            f"shallow_ascending_slope of at least 0 and below {(1 - low) / (1 - turn):g}",
        )
        half_width = 0.05  # of the plateau
        shoulder = 1 - half_width
        top = 1 - slope * (shoulder - turn)  # where the steep limb becomes the shallow one
        steep = ((start + turn) / 2, top / 2, 1.25 * top / (turn - start))
        shallow = ((turn + shoulder) / 2, (top + 1) / 2, slope)
        fall = (
            ((1 + half_width) + end) / 2,
            0.5,
            -1 / ((end - half_width) - (1 + half_width)),
        )
        corners = ((start, low, 0.0), steep, shallow, (1.0, 1.0, 0.0), fall, (end, low, 0.0))
        return _segments(corners, [1.0] * 5)


@dataclass(frozen=True)
class FiberForceLengthCurve:
    """Passive force by normalized fiber length, with the defaults of OpenSim 4.6.

    Of the last three properties all or none are given.
    """

    strain_at_zero_force: float = 0.0
    strain_at_one_norm_force: float = 0.7
    stiffness_at_low_force: float | None = None
    stiffness_at_one_norm_force: float | None = None
    curviness: float | None = None

    def points(self) -> np.ndarray:
        """Control points `[2, 4, 2]`.

        Raises:
          ValueError: the properties are not those of such a curve; the message says what is.
        """
        _expect(
            self.strain_at_one_norm_force > self.strain_at_zero_force,
            "strain_at_one_norm_force above strain_at_zero_force",
        )
        span = self.strain_at_one_norm_force - self.strain_at_zero_force
        low, high, curviness = _all_or_none(
            self,
            ("stiffness_at_low_force", "stiffness_at_one_norm_force", "curviness"),
            (0.2, 2 / span, 0.75),
        )
        _expect(high > 1 / span, f"stiffness_at_one_norm_force above {1 / span:g}")
        _expect(0 < low < 1 / span, f"stiffness_at_low_force above 0 and below {1 / span:g}")
        start, end = 1 + self.strain_at_zero_force, 1 + self.strain_at_one_norm_force
        toe = start + min(0.1 / high, 0.1 * span)
        corners = (
            (start, 0.0, 0.0),
            (toe, low * (toe - (start + 0.5 * (toe - start))), low),
            (end, 1.0, high),
        )
        return _segments(corners, [curviness] * 2)


@dataclass(frozen=True)
class TendonForceLengthCurve:
    """Tendon force by tendon strain, with the defaults of OpenSim 4.6.

    Of the last three properties all or none are given.
    """

    strain_at_one_norm_force: float = 0.049
    stiffness_at_one_norm_force: float | None = None
    norm_force_at_toe_end: float | None = None
    curviness: float | None = None

    def points(self) -> np.ndarray:
        """Control points `[2, 4, 2]`, by strain: OpenSim's are by normalized length.

        Raises:
          ValueError: the properties are not those of such a curve; the message says what is.
        """
        strain = self.strain_at_one_norm_force
        _expect(strain > 0, "strain_at_one_norm_force above 0")
        stiffness, toe_force, curviness = _all_or_none(
            self,
            ("stiffness_at_one_norm_force", "norm_force_at_toe_end", "curviness"),
            (1.375 / strain, 2 / 3, 0.5),
        )
        _expect(0 < toe_force < 1, "norm_force_at_toe_end above 0 and below 1")
        _expect(stiffness > 1 / strain, f"stiffness_at_one_norm_force above {1 / strain:g}")
        toe = (toe_force - 1) / stiffness + strain
        foot = toe / 10  # the toe begins as a line through the axis here would
        middle_force = 0.5 * toe_force
        middle = (middle_force - 1) / stiffness + strain
        slope = middle_force / (middle - foot)
        joint = foot + 0.5 * (middle - foot)
        corners = (
            (0.0, 0.0, 0.0),
            (joint, slope * (joint - foot), slope),
            (toe, toe_force, stiffness),
        )
        return _segments(corners, [curviness] * 2)


@dataclass(frozen=True)
class ForceVelocityCurve:
    """Force by normalized fiber velocity, with the defaults of OpenSim 4.6."""

    concentric_slope_at_vmax: float = 0.0
    concentric_slope_near_vmax: float = 0.25
    isometric_slope: float = 5.0
    eccentric_slope_at_vmax: float = 0.0
    eccentric_slope_near_vmax: float = 0.15
    max_eccentric_velocity_force_multiplier: float = 1.4
    concentric_curviness: float = 0.6
    eccentric_curviness: float = 0.9

    def points(self, regular: bool) -> np.ndarray:
        """Control points `[4, 4, 2]` of the relation between the fiber's velocity and its force.

        With damping or a rigid tendon that is the curve itself, to which OpenSim gives slopes of
        zero at the largest velocities. Else it is the curve that OpenSim's
        ForceVelocityInverseCurve inverts, with half the slopes near the largest velocities there.

        Args:
          regular: whether the fiber is damped or the tendon rigid.

        Raises:
          ValueError: the properties are not those of such a curve; the message says what is.
        """
        shortening, lengthening = self.concentric_slope_near_vmax, self.eccentric_slope_near_vmax
        most = self.max_eccentric_velocity_force_multiplier
        _expect(most > 1, "max_eccentric_velocity_force_multiplier above 1")
        _expect(
            _ROOT_EPSILON <= shortening < 1,
            f"concentric_slope_near_vmax of at least {_ROOT_EPSILON:.3g} and below 1",
        )
        _expect(
            _ROOT_EPSILON <= lengthening < most - 1,
            f"eccentric_slope_near_vmax of at least {_ROOT_EPSILON:.3g} and below {most - 1:g}",
        )
        _expect(self.isometric_slope > 1, "isometric_slope above 1")
        self._check_slopes_at_vmax(regular)
        first, last = (0.0, 0.0) if regular else (0.5 * shortening, 0.5 * lengthening)
        corners = (
            (-1.0, 0.0, first),
            (-0.9, 0.05 * shortening + 0.05 * first, shortening),
            (0.0, 1.0, self.isometric_slope),
            (0.9, most - 0.05 * lengthening - 0.05 * last, lengthening),
            (1.0, most, last),
        )
        concentric, eccentric = self.concentric_curviness, self.eccentric_curviness
        _expect(0 <= concentric <= 1, "concentric_curviness between 0 and 1")
        _expect(0 <= eccentric <= 1, "eccentric_curviness between 0 and 1")
        return _segments(corners, [concentric, concentric, eccentric, eccentric])

    def _check_slopes_at_vmax(self, regular: bool) -> None:
        """Refuse the slopes that OpenSim refuses before it replaces them."""
        first, last = self.concentric_slope_at_vmax, self.eccentric_slope_at_vmax
        if regular:
            _expect(first >= 0, "concentric_slope_at_vmax of 0 or more")
            _expect(last >= 0, "eccentric_slope_at_vmax of 0 or more")
            return
        near = self.concentric_slope_near_vmax, self.eccentric_slope_near_vmax
        _expect(first < near[0], f"concentric_slope_at_vmax below {near[0]:g}")
        _expect(last <= near[1], f"eccentric_slope_at_vmax of at most {near[1]:g}")


_Curve = TypeVar(
    "_Curve",
    ActiveForceLengthCurve,
    FiberForceLengthCurve,
    TendonForceLengthCurve,
    ForceVelocityCurve,
)


def read_curve(context: Context, muscle: Element, kind: type[_Curve]) -> _Curve:
    """A curve of a muscle; the class's defaults if the file says nothing of it."""
    element = context.property(muscle, kind.__name__)
    if element is None:
        return kind()
    found = {field.name: context.property(element, field.name) for field in fields(kind)}
    # An optional property without a value is as good as absent.
    return kind(
        **{
            name: numbers(value, 1)[0]
            for name, value in found.items()
            if value is not None and (value.text.strip() or getattr(kind, name) is not None)
        }
    )


def _expect(holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(f"expected {expected}")


def _all_or_none(
    curve: object, names: Sequence[str], otherwise: Sequence[float]
) -> tuple[float, ...]:
    """Optional properties of a curve, the last of them its curviness."""
    given = [getattr(curve, name) for name in names]
    absent = given.count(None)
    _expect(absent in (0, len(given)), f"all of {', '.join(names)}, or none of them")
    values = tuple(otherwise if absent else given)
    _expect(0 <= values[-1] <= 1, "curviness between 0 and 1")
    return values


def _segments(corners: Sequence[_Corner], curviness: Sequence[float]) -> np.ndarray:
    """Control points `[segment, 4, 2]` between points with given slopes."""
    pairs = zip(corners[:-1], corners[1:], curviness, strict=True)
    return np.array([_segment(first, last, 0.1 + 0.8 * part) for first, last, part in pairs])


def _segment(first: _Corner, last: _Corner, curviness: float) -> np.ndarray:
    """Four control points `[4, 2]` of a segment that is a rounded corner.

    Args:
      first: where it starts.
      last: where it ends.
      curviness: how far the inner points are on the way to the corner, in [0, 1].
    """
    (x0, y0, slope0), (x1, y1, slope1) = first, last
    if abs(slope0 - slope1) > _ROOT_EPSILON:
        x = (y1 - y0 - x1 * slope1 + x0 * slope0) / (slope0 - slope1)
    else:
        x = (x0 + x1) / 2
    y = y0 if slope0 == 0 else (x - x1) * slope1 + y1  # a flat end is flat to the last bit
    start, end, corner = np.array((x0, y0)), np.array((x1, y1)), np.array((x, y))
    sides = np.sum((corner - start) ** 2), np.sum((corner - end) ** 2)
    # OpenSim differs: it builds segments whose corner is beside them, on which x turns back.
    _expect(
        np.sum((end - start) ** 2) > max(sides) and x0 <= x <= x1,
        f"slopes {slope0:g} at {x0:g} and {slope1:g} at {x1:g} that meet between these points",
    )
    return np.array(
        [start, start + curviness * (corner - start), end + curviness * (corner - end), end]
    )
