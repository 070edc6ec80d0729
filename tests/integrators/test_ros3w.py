"""ROS3w on small problems with known answers, and its steps that end at switches."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.integrators.explicit import rk4_steps
from jaxosim.integrators.ros3w import init, ros3w_step, ros3w_steps, step_schedule
from tests import hopper_model

ORDER_SLACK = 0.45  # of the measured order, between 20 and 40 steps
STIFFNESS = 1e4  # (1/s) of the decaying part
PENDULUM = 9.0  # (1/s²)
START = jnp.array([0.5, -0.2, 0.0])


def pendulum(y, active_points=None):
    """Angle, speed and time of a damped pendulum that is pushed: smooth and nonlinear."""
    angle, speed, time = y
    push = jnp.sin(3 * time)
    return jnp.stack([speed, push - PENDULUM * jnp.sin(angle) - 0.3 * speed, jnp.ones_like(time)])


def chased(y, active_points=None):
    """A value that is pulled to cos t at a stiff rate; the second entry is the time."""
    value, time = y
    return jnp.stack([-STIFFNESS * (value - jnp.cos(time)) - jnp.sin(time), jnp.ones_like(time)])


@dataclasses.dataclass(frozen=True)
class Dense:
    """Rates at a state and a part of their whole Jacobian, shifted or not."""

    slope: jax.Array
    matrix: jax.Array
    g: jax.Array | None = None

    def solve(self, rhs):
        return jnp.linalg.solve(jnp.eye(len(rhs)) - self.g * self.matrix, rhs)

    def first_stage(self):
        return self.solve(self.g * self.slope)

    def rates(self):
        return self.slope

    def fiber_diagonal(self, g):
        return jnp.ones_like(self.slope)

    def iteration_matrix(self, h, g):
        return dataclasses.replace(self, g=g)

    def norm(self, change):
        return jnp.sqrt(jnp.sum(change**2) + 1e-30)


class Edges(NamedTuple):
    """Where the first entry of the state makes the rates of the second one jump."""

    places: jax.Array  # [edge]
    jumps: jax.Array  # [edge]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A problem of `rates(y, sides)`, of whose Jacobian a part is known."""

    rates: object
    keep: float = 1.0
    edges: Edges = Edges(jnp.zeros(0), jnp.zeros(0))

    def active_points(self, state, lead_time):
        return (
            state[0] + lead_time * self.rates(state, self._beyond(state[0]))[0] >= self.edges.places
        )

    def _beyond(self, x):
        return x >= self.edges.places

    def next_event(self, state, after, before):
        speed = self.rates(state, self._beyond(state[0]))[0]
        time = (self.edges.places - state[0]) / speed
        time = jnp.where(time > after, time, jnp.inf)
        count = jnp.sum(jnp.where(time < before, 1.0, 0.0))
        return jnp.min(time, initial=jnp.inf), count

    def project(self, state):
        return state

    def evaluate(self, state, active_points):
        slope = self.rates(state, active_points)
        return Dense(slope, self.keep * jax.jacfwd(lambda y: self.rates(y, active_points))(state))


def march(problem, state, duration, count):
    run = lambda y: ros3w_steps(problem, y, duration + 0 * y[0], count)  # noqa: E731
    return jax.jit(run)(state)


@functools.cache
def pendulum_end():
    return np.asarray(jax.jit(lambda y: rk4_steps(pendulum, y, 1 / 4000, 4000))(START))


def pushed(bend=0.0):
    """Place, speed and time: the place moves by 1 + bend t, the speed by its side of the edges."""

    def rates(y, active_points, jumps):
        return jnp.stack(
            [1.0 + bend * y[2], -2.0 + jnp.sum(jnp.where(active_points, jumps, 0.0)), jnp.ones(())]
        )

    return rates


def jumping(places, jumps, bend=0.0):
    edges = Edges(jnp.asarray(places), jnp.asarray(jumps))
    rates = pushed(bend)
    return Problem(lambda y, active_points: rates(y, active_points, edges.jumps), edges=edges)


def speed_after(places, jumps, duration=1.0):
    """The speed that the straight problem has: every jump counts from its edge on."""
    return -2.0 * duration + sum(
        jump * (duration - place) for place, jump in zip(places, jumps, strict=True)
    )


# property


@pytest.mark.parametrize("keep, order", [(1.0, 3), (0.5, 2), (0.0, 2)])
def test_order_of_convergence(keep, order):
    """Three with the whole Jacobian; two with any other matrix, which makes it a W-method."""
    errors = [
        np.abs(np.asarray(march(Problem(pendulum, keep), START, 1.0, n)) - pendulum_end()).max()
        for n in (20, 40)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=ORDER_SLACK)


def test_steps_survive_what_explicit_ones_do_not():
    """Steps 500 times the time constant; a value off its course falls back at once."""
    start = jnp.array([3.0, 0.0])
    end = np.asarray(march(Problem(chased), start, 1.0, 20))
    assert abs(end[0] - np.cos(1.0)) < 1e-3
    blown = np.asarray(jax.jit(lambda y: rk4_steps(chased, y, 1 / 20, 20))(start))
    assert not np.isfinite(blown[0]) or abs(blown[0]) > 1e6


def test_a_constant_rate_is_integrated_exactly():
    constant = Problem(lambda y, active_points: jnp.array([2.0, -1.0]) + 0 * y)
    end = march(constant, jnp.zeros(2), 0.7, 3)
    np.testing.assert_allclose(end, [1.4, -0.7], rtol=1e-14)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 20])
def test_planned_steps_share_the_duration(count):
    """The first two are short."""
    left, steps = 1.0, []
    shares, steps_left = step_schedule(count, jnp.zeros(()))
    for share in shares:
        steps.append(left * share)
        left -= steps[-1]
    assert left == pytest.approx(0.0, abs=1e-15)
    assert list(steps_left) == list(range(count, 0, -1))
    if count > 2:
        np.testing.assert_allclose(steps[:2], np.array([0.25, 0.5]) * steps[-1])
        np.testing.assert_allclose(steps[2:], steps[-1])


@pytest.mark.parametrize(
    "places",
    [[0.03], [0.5], [0.97], [0.3, 0.7], [0.3, 0.3], [0.9, 0.97], [0.75, 0.85, 0.95]],
)
def test_a_jump_is_met_exactly_where_it_is(places):
    """One step is spent on each; without, the speed would be wrong by a part of a step's jump."""
    jumps = [5.0, -3.0, 11.0][: len(places)]
    start = jnp.zeros(3)
    end = march(jumping(places, jumps), start, 1.0, 6)
    np.testing.assert_allclose(end, [1.0, speed_after(places, jumps), 1.0], rtol=0, atol=1e-12)


def test_steps_end_at_switches_and_add_up():
    problem, at = jumping([0.4], [5.0]), init(jnp.zeros(3), jnp.asarray(1.0))
    ends = []
    for share, steps_left in zip(*step_schedule(5, jnp.zeros(())), strict=True):
        at = ros3w_step(problem, at, share, steps_left)
        ends.append(float(at.state[0]))
    assert min(abs(end - 0.4) for end in ends) < 1e-15
    assert ends[-1] == pytest.approx(1.0) and float(at.time_left) == pytest.approx(0.0, abs=1e-15)
    assert len(np.unique(np.round(ends, 9))) == 5


def test_a_switch_that_is_approached_at_a_changing_rate_costs_no_order():
    """It is aimed at along a straight line, and missed by a part of a step of second order."""
    edge, jump, bend = 0.4, 5.0, 0.8
    meeting = (-1 + np.sqrt(1 + 2 * bend * edge)) / bend  # t + bend t²/2 = edge
    exact = -2.0 + jump * (1 - meeting)
    for count in (6, 12, 24, 48):
        end = march(jumping([edge], [jump], bend), jnp.zeros(3), 1.0, count)
        missed = bend / 2 / (count - 1.25) ** 2  # by a usual step's curve, at a rate of 1
        assert abs(float(end[1]) - exact) < jump * missed


def test_more_switches_than_steps_still_end_on_time():
    places, jumps = [0.2, 0.4, 0.6, 0.8], [1.0, -1.0, 1.0, -1.0]
    end = march(jumping(places, jumps), jnp.zeros(3), 1.0, 2)
    np.testing.assert_allclose(end[jnp.array([0, 2])], 1.0, rtol=1e-14)
    assert abs(float(end[1]) - speed_after(places, jumps)) < 1.0


@pytest.mark.parametrize("duration", [0.02, 0.1, 1.0])
def test_a_wall_that_is_not_foreseen_throws_nothing_back_faster(duration):
    """Met within a step, it is stiffer than an explicit step bears: the change is held back."""

    def rates(y, active_points):
        x, v = y
        beyond = jnp.maximum(x - 0.01, 0.0)
        return jnp.stack([v, -1e7 * beyond - jnp.where(x > 0.01, 1e4 * v, 0.0)])

    end = march(Problem(rates), jnp.array([0.0, 1.0]), duration, 1)
    assert np.isfinite(np.asarray(end)).all() and abs(float(end[1])) < 1.5


# gradient


@pytest.mark.parametrize("keep", [pytest.param(1.0, marks=pytest.mark.thorough), 0.5])
def test_reverse_gradient_equals_forward_and_differences(keep):
    @jax.jit
    def end(y):
        return march(Problem(pendulum, keep), y, 0.3, 4)[0]

    forward, reverse = jax.jit(jax.jacfwd(end))(START), jax.jit(jax.grad(end))(START)
    np.testing.assert_allclose(reverse, forward, rtol=1e-12, atol=1e-14)
    expected = [hopper_model.slope_along(end, START, unit, 1e-4) for unit in jnp.eye(3)]
    np.testing.assert_allclose(reverse, expected, rtol=1e-8, atol=1e-10)


def test_the_gradient_knows_when_a_switch_is_met():
    """A later edge counts its jump for a shorter time; so does an earlier start."""

    def speed(edge, start):
        return march(jumping([edge], [5.0]), start, 1.0, 6)[1]

    slopes = jax.jit(jax.grad(speed, argnums=(0, 1)))
    by_edge, by_start = slopes(jnp.asarray(0.4), jnp.zeros(3))
    np.testing.assert_allclose(by_edge, -5.0, rtol=1e-12)
    np.testing.assert_allclose(by_start, [5.0, 1.0, 0.0], rtol=1e-12, atol=1e-12)


# batch, compile


def test_vmap_lets_each_world_end_its_steps_at_its_own_switches():
    problem = jumping([0.37], [5.0], bend=0.5)
    starts = jnp.array([[0.0, 0.0, 0.0], [0.2, 1.0, 0.0], [2.0, 0.0, 0.0]])
    traces = []

    @jax.jit
    def one(y):
        traces.append(None)
        return ros3w_steps(problem, y, 1.0 + 0 * y[0], 6)

    together = jax.jit(jax.vmap(one))(starts)
    for index, start in enumerate(starts):
        np.testing.assert_allclose(together[index], one(start), rtol=1e-13)
    assert len(traces) == 1
