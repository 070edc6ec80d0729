"""Random states for comparisons: full ranges, beyond the limits, feet in the ground.

The sampler needs only poses, path lengths and constants of the model; nothing here imports
OpenSim.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxosim.opensim.model import OpenSimModel

WIDE = {True: 2 * np.pi, False: 2.0}  # (rad | m) rotational?: a wider range is not meant as one
AROUND_DEFAULT = {True: 0.5, False: 0.3}  # (rad | m) rotational?: half-width that replaces it
SPEED = {True: 2.0, False: 1.0}  # (rad/s | m/s) rotational?: standard deviation
MARGIN = 0.2  # (1) of the range, beyond each end, in a third of the states
PENETRATION = 0.02  # (m) deepest sphere of the states with ground contact
SATISFIED = 1e-11  # (rad | m | 1/s of these) of a constraint equation
_ITERATIONS, _DIFFERENCE = 30, 1e-6  # of Newton's method, and of its slopes
_REDUNDANT = 1e-9  # relative singular value below which an equation follows from others


def random_states(oracle: OpenSimModel, count: int, seed: int) -> dict[str, np.ndarray]:
    """Random states of a model.

    Coordinates fill their ranges; in a third of the states the ranges are 20 % wider at each end,
    and at least one coordinate is beyond its own. In two thirds of the states of a model with
    contact spheres, the lowest is 0 to 2 cm in the ground. In a quarter, locked coordinates are
    held off their default. Fibers are 0.5 to 1.5 optimal lengths in half of the states; in the
    others, tendons are strained by -1 to 6 % where the fiber allows it.

    Args:
      oracle: the model.
      count: number of states.
      seed: of the generator.

    Returns:
      time [state], q, u [state, coordinate], activation, fiber_length [state, muscle], excitation
      [state, control], normalized_tendon_force [state, muscle that could have it], force_states
      [state, state variable of other forces].
    """
    rng = np.random.default_rng(seed)
    q = _poses(oracle, rng, count)
    free = ~oracle.locked
    scale = np.array([SPEED[bool(r)] for r in oracle.rotational])
    shape = (count, len(oracle.muscle_names))
    return {
        "time": np.zeros(count),
        "q": q,
        "u": np.where(free, rng.standard_normal(q.shape) * scale, 0.0),
        "activation": rng.uniform(0.01, 1.0, shape),
        "fiber_length": _fiber_lengths(oracle, rng, q),
        "excitation": rng.uniform(0.0, 1.0, (count, oracle.control_count)),
        "normalized_tendon_force": rng.uniform(
            0.0, 1.5, (count, oracle.state_count("normalized_tendon_force"))
        ),
        "force_states": rng.uniform(-1.0, 1.0, (count, oracle.state_count("force_states"))),
    }


def on_constraints(
    oracle: OpenSimModel, states: dict[str, np.ndarray], seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """States whose poses and speeds satisfy the constraints, with new fiber lengths.

    Poses are near those given, or else near OpenSim's default pose.

    Off the constraints the equations of motion ask for what no acceleration can do if one equation
    follows from others, and have terms that are zero on them, which OpenSim leaves out.

    Args:
      oracle: the model.
      states: from `random_states`.
      seed: of the generator.

    Returns:
      The states, and `[state]` bool, where Newton's method has reached the constraints.
    """
    q, u = states["q"].copy(), states["u"].copy()
    reached = np.ones(len(q), bool)
    for index in range(len(q)):
        q[index], u[index], reached[index] = _on_constraints(oracle, q[index], u[index])
    fiber_length = _fiber_lengths(oracle, np.random.default_rng(seed), q)
    return {**states, "q": q, "u": u, "fiber_length": fiber_length}, reached


def _on_constraints(
    oracle: OpenSimModel, q: np.ndarray, u: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """A pose and speeds that satisfy the constraints, and whether they do."""
    free = np.flatnonzero(~oracle.locked)

    def errors(q: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        state = oracle.state_of({"q": q, "u": u})
        oracle.model.realizeVelocity(state)
        return state.getQErr().to_numpy().copy(), state.getUErr().to_numpy().copy()

    for start in (q, np.where(oracle.locked, q, oracle.defaults)):
        pose, found = _solved(lambda x: errors(x, 0 * u)[0], start, free)
        if found:
            break
    else:
        return q, u, False
    speeds, follow = _solved(lambda x: errors(pose, x)[1], u, free)
    return pose, speeds, follow


def _solved(
    errors: Callable[[np.ndarray], np.ndarray], x: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Values near x with no errors, of which only those at `free` change; whether there are any.

    The iteration ends where it gets no nearer: with redundant equations an error of 1e-11 times
    an acceleration of 1e5 is a contradiction of 1e-6.
    """
    best, least = x, np.inf
    for _ in range(_ITERATIONS):
        error = errors(x)
        size = np.abs(error).max(initial=0.0)
        nearer = size < least
        if nearer:
            best, least = x.copy(), size
        if least < SATISFIED and not (nearer and size):
            break
        slopes = []
        for index in free:
            ahead = x.copy()
            ahead[index] += _DIFFERENCE
            slopes.append((errors(ahead) - error) / _DIFFERENCE)
        change = np.zeros_like(x)
        change[free] = np.linalg.lstsq(np.array(slopes).T, error, rcond=_REDUNDANT)[0]
        x = x - change
    return best, least < SATISFIED


def stressed(
    oracle: OpenSimModel, states: dict[str, np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """The same states with fibers at and under their minimal length, and controls out of range.

    Args:
      oracle: the model.
      states: from `random_states`.
      seed: of the generator.
    """
    rng = np.random.default_rng(seed)
    shape = states["activation"].shape
    minimal = oracle.muscle_lengths()["width"] / np.sin(np.arccos(0.1))  # Thelen's, by default
    short = minimal * rng.choice([0.9, 1.0, 1.0001], shape)
    chosen = (rng.random(shape) < 0.4) & (minimal > 0)
    return {
        **states,
        "fiber_length": np.where(chosen, short, states["fiber_length"]),
        "activation": rng.uniform(-0.05, 1.1, shape),
        "excitation": rng.uniform(-0.2, 1.2, states["excitation"].shape),
    }


def intervals(oracle: OpenSimModel) -> np.ndarray:
    """Interval each coordinate is drawn from, [coordinate, 2] (rad | m)."""
    widths = oracle.ranges[:, 1] - oracle.ranges[:, 0]
    wide = np.array([WIDE[bool(r)] for r in oracle.rotational]) * (1 + 1e-6)
    half = np.array([AROUND_DEFAULT[bool(r)] for r in oracle.rotational])
    around = oracle.defaults[:, None] + half[:, None] * np.array([-1.0, 1.0])
    return np.where((widths > wide)[:, None], around, oracle.ranges)


def _poses(oracle: OpenSimModel, rng: np.random.Generator, count: int) -> np.ndarray:
    low, high = intervals(oracle).T
    beyond = _chosen(rng, count, 1 / 3)
    margin = MARGIN * (high - low) * beyond[:, None]
    q = rng.uniform(low - margin, high + margin)
    limited = np.flatnonzero(~oracle.locked & (low == oracle.ranges[:, 0]))
    if limited.size:
        _push_out(rng, q, np.flatnonzero(beyond), limited, low, high)
    elsewhere = _chosen(rng, count, 1 / 4)[:, None]
    q = np.where(oracle.locked & ~elsewhere, oracle.defaults, q)
    grounded, depth = _chosen(rng, count, 2 / 3), rng.uniform(0.0, PENETRATION, count)
    if oracle.vertical is not None and oracle.lowest_contact(q[0]) is not None:
        for index in np.flatnonzero(grounded):
            q[index, oracle.vertical] -= oracle.lowest_contact(q[index]) + depth[index]
    return q


def _push_out(rng, q, states, limited, low, high) -> None:
    """Put one limited coordinate of each of these states beyond an end of its range."""
    for state in states:
        coordinate = rng.choice(limited)
        excess = MARGIN * (high - low)[coordinate] * (1 - rng.random())
        upper = rng.random() < 0.5
        q[state, coordinate] = high[coordinate] + excess if upper else low[coordinate] - excess


def _fiber_lengths(oracle: OpenSimModel, rng: np.random.Generator, q: np.ndarray) -> np.ndarray:
    constants = oracle.muscle_lengths()
    optimal, slack = constants["optimal_fiber_length"], constants["tendon_slack_length"]
    shape = (len(q), len(optimal))
    anywhere = rng.uniform(0.5, 1.5, shape) * optimal
    tendon = slack * (1 + rng.uniform(-0.01, 0.06, shape))
    along = np.stack([oracle.path_length(pose) for pose in q]) - tendon
    balanced = np.hypot(along, constants["width"])
    possible = (along > 0) & (balanced > 0.3 * optimal) & (balanced < 1.8 * optimal)
    near_equilibrium = _chosen(rng, len(q), 1 / 2)[:, None]
    return np.where(near_equilibrium & possible, balanced, anywhere)


def _chosen(rng: np.random.Generator, count: int, fraction: float) -> np.ndarray:
    """Exactly this fraction of the states, at random, [state] bool."""
    return rng.permutation(count) < round(count * fraction)
