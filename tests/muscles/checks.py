"""What the tests of muscle classes share: a model of such muscles, and the checks of every class.

The muscles of a model turn one body about a pin. States are arrays `[state, …]` as the oracle takes
them, with the controls as `excitation`.
"""

import functools

import chex
import jax
import jax.numpy as jnp

import jaxosim
from jaxosim.fused import using
from tests import hopper_model
from tests.models import osim_text as osim


def muscle(name, x, tag, inside="", **values):
    """A muscle from x (m) on ground to the body; `inside` are further elements."""
    points = osim.point("a", location=f"{x} 0.4 0") + osim.point(
        "b", "/bodyset/a", location="0 -0.5 0"
    )
    text = osim.muscle(name, points, kind=tag, **values)
    return text.replace(f"</{tag}>", f"{inside}</{tag}>")


def curve(name, x, y):
    """A curve by a spline, as a property of a muscle."""
    return osim.element("SimmSpline", name, x=x, y=y)


def model(*muscles):
    """A model of these muscles."""
    return osim.model(*muscles, bodies=osim.body("a", mass_center="0 -0.3 0"))


def state_and_controls(states, dtype=jnp.float64):
    """The same as a batch of states and controls."""
    states = {name: jnp.asarray(value, dtype) for name, value in states.items()}
    controls = states.pop("excitation")
    return jaxosim.State(**states), controls


def first(states):
    """The first state and its controls."""
    return hopper_model.row(state_and_controls(states), 0)


def slopes_of_rates(world, blend):
    """Compiled number that is made of the rates, of (state, controls), and its gradient by both.

    Args:
      world: Model and Params.
      blend: from the state derivative to the number.
    """

    model, params = world

    def blended(state, controls):
        return blend(jaxosim.state_derivative(model, params, state, controls))

    return jax.jit(blended), jax.jit(jax.grad(blended, argnums=(0, 1)))


def all_rates(rates):
    """A number to which every rate contributes."""
    parts = [jnp.sum(jnp.tanh(x / 5)) for x in jax.tree.leaves(rates)]
    return functools.reduce(jnp.add, parts)


def assert_gradient_equals_differences(value, slopes, at, step):
    """The gradient in a random direction is the difference quotient of this step."""
    direction = hopper_model.random_direction(at, seed=6)
    expected = hopper_model.slope_along(lambda x: value(*x), at, direction, step)
    obtained = hopper_model.inner(slopes(*at), direction)
    assert abs(obtained - expected) < 1e-6 * max(1.0, abs(expected))


def assert_batches_equal_single_worlds(function, world, states, dtype, accuracy):
    """A batch by either kernel is single worlds by XLA, all in one precision.

    Args:
      function: of Model, Params, state and controls.
      world: Model and Params.
      states: of the worlds.
      dtype: of all numbers.
      accuracy: relative to values above 1, else absolute.
    """
    model, params = world
    params = jax.tree.map(lambda x: x.astype(dtype), params)
    given = state_and_controls(states, dtype)
    one = jax.jit(lambda *given: function(model, params, *given))
    with using("xla"):
        alone = [one(*hopper_model.row(given, index)) for index in range(len(given[1]))]
    for kernel in ("xla", "fused"):
        with using(kernel):
            together = jax.jit(jax.vmap(lambda *given: function(model, params, *given)))(*given)
        chex.assert_trees_all_close(
            together, hopper_model.stack(alone), rtol=accuracy, atol=accuracy
        )


def assert_one_trace(world, states):
    """One program serves all states."""
    model, params = world

    @jax.jit
    @chex.assert_max_traces(n=1)
    def one(state, controls):
        return jaxosim.state_derivative(model, params, state, controls)

    chex.clear_trace_counter()
    given = state_and_controls(states)
    for index in range(len(given[1])):
        one(*hopper_model.row(given, index))
