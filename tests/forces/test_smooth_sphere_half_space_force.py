"""SmoothSphereHalfSpaceForce: beside OpenSim, in the limit of sharp switches, refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from tests import hopper_model
from tests.forces import checks
from tests.forces.checks import BODIES
from tests.models import osim_text as osim

GEOMETRY = osim.members(
    "ContactGeometrySet",
    osim.element(
        "ContactHalfSpace", "floor", socket_frame="/ground", orientation="0.1 0 -1.5707963267949"
    ),
    osim.element(
        "ContactHalfSpace",
        "tray",
        socket_frame="/bodyset/b/o",
        location="0 0.2 0",
        orientation="0 0.3 1.2",
    ),
    osim.element(
        "ContactSphere", "ball", socket_frame="/bodyset/a", location="0.1 -0.2 0.3", radius="0.3"
    ),
    osim.element(
        "ContactSphere", "wheel", socket_frame="/bodyset/w", location="0.1 0.1 0", radius="0.4"
    ),
)
MATERIAL = {
    "stiffness": "5000",
    "dissipation": "0.8",
    "static_friction": "0.9",
    "dynamic_friction": "0.7",
    "viscous_friction": "0.5",
    "transition_velocity": "0.2",
}
SHARP = {"constant_contact_force": "0", "hertz_smoothing": "3e6", "hunt_crossley_smoothing": "1e9"}


def contact(name, sphere="ball", half_space="floor", **values):
    """A force between geometries of these names."""
    sockets = {
        "socket_sphere": f"/contactgeometryset/{sphere}",
        "socket_half_space": f"../../contactgeometryset/{half_space}",
    }
    return osim.element("SmoothSphereHalfSpaceForce", name, **(sockets | values))


WORLD = osim.model(
    contact("one", **MATERIAL),
    contact("two", "wheel", **MATERIAL, hertz_smoothing="20", hunt_crossley_smoothing="2"),
    contact("between", "ball", "tray", **MATERIAL, constant_contact_force="0.01"),
    contact("still", "wheel", "tray", **MATERIAL),
    contact("elastic", **MATERIAL | {"dissipation": "0"}),
    contact("default"),
    rest=GEOMETRY,
    **BODIES,
)


# parity


@pytest.mark.opensim
def test_smooth_contacts_are_opensims(opensim):
    model, params = hopper_model.load(WORLD)
    assert len(model.smooth_contacts.names) == 6
    hopper_model.assert_parity(WORLD, checks.states(model, params, 32))


@pytest.mark.parametrize(
    "values, message",
    [
        ({"sphere": "floor"}, "socket_sphere the path of a ContactSphere, found .*floor'"),
        ({"half_space": "none"}, "socket_half_space the path of a ContactHalfSpace"),
        ({"transition_velocity": "0"}, "expected a transition_velocity above 0, found 0.0"),
        ({"stiffness": "-1"}, "expected a stiffness of 0 or more, found -1.0"),
        ({"constant_contact_force": "-1"}, "constant_contact_force of 0 or more"),
    ],
)
def test_what_opensim_could_not_simulate_is_refused(values, message):
    text = osim.model(contact("c", **values), rest=GEOMETRY, **BODIES)
    with pytest.raises(OsimFormatError, match=rf"\[c\].*{message}"):
        hopper_model.load(text)


# property


@pytest.mark.thorough
def test_with_sharp_switches_the_force_is_that_of_hunt_and_crossley():
    """Of two equal materials: both then have half the depth, hence the smooth force's k/2."""
    smooth = osim.model(contact("c", **MATERIAL, **SHARP), rest=GEOMETRY, **BODIES)
    numbers = MATERIAL.copy()
    velocity = numbers.pop("transition_velocity")
    sharp = osim.contact("ball floor", name="c", transition_velocity=velocity)
    for tag, value in {**numbers}.items():
        start = sharp.find(f"<{tag}>")
        end = sharp.find(f"</{tag}>")
        old = sharp[start : end + len(tag) + 3] if start >= 0 else "<geometry>"
        new = f"<{tag}>{value}</{tag}>" + ("" if start >= 0 else "<geometry>")
        sharp = sharp.replace(old, new, 1)
    worlds = [smooth, osim.model(sharp, rest=GEOMETRY, **BODIES)]
    speeds = []
    for text in worlds:
        model, params = hopper_model.load(text)
        start = checks.state_at(model, params, spread=0.3)
        speeds.append(hopper_model.rates(model, params, start, checks.no_controls()).u)
    np.testing.assert_allclose(speeds[0], speeds[1], rtol=1e-9)


# gradient


def with_material(params, **changes):
    """The parameters with other numbers for the material."""
    contacts = params.smooth_contacts
    material = dataclasses.replace(contacts.material, **changes)
    return dataclasses.replace(
        params, smooth_contacts=dataclasses.replace(contacts, material=material)
    )


@pytest.mark.thorough
def test_gradients_equal_differences():
    model, params = hopper_model.load(WORLD)
    state = checks.state_at(model, params, spread=0.3)
    # At a dissipation of zero the force is switched: below, it is none.
    params = with_material(params, dissipation=params.smooth_contacts.material.dissipation + 0.1)
    checks.assert_gradients_equal_differences(model, params, "smooth_contacts", state, 1e-6)


@pytest.mark.thorough
def test_gradients_without_constant_force_at_rest_on_the_surface_are_finite():
    model, params = hopper_model.load(
        osim.model(contact("c", **MATERIAL, **SHARP), rest=GEOMETRY, **BODIES)
    )
    start = hopper_model.initial(model, params)
    at = hopper_model.replace_at(
        start, q=(4, 0.2 + float(params.smooth_contacts.material.radius[0]))
    )

    def sum_of(numbers, q, u):
        changed = dataclasses.replace(params, smooth_contacts=numbers)
        state = dataclasses.replace(at, q=q, u=u)
        return jnp.sum(hopper_model.rates(model, changed, state, checks.no_controls()).u)

    slopes = jax.jit(jax.grad(sum_of, argnums=(0, 1, 2)))(params.smooth_contacts, at.q, at.u)
    assert hopper_model.all_finite(slopes)


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once():
    model, params = hopper_model.load(WORLD)
    at = [checks.state_at(model, params, seed, spread=0.3) for seed in range(3)]
    checks.assert_batches_equal_single_steps(model, params, at)


@pytest.mark.thorough
def test_a_stiff_ball_comes_to_rest_on_the_floor():
    hard = {"stiffness": "1e8", "dissipation": "2", "static_friction": "0.8"}
    model, params = hopper_model.load(
        osim.model(contact("c", "wheel", **hard), rest=GEOMETRY, **BODIES)
    )
    start = hopper_model.initial(model, params)
    end = jaxosim.rollout(model, params, start, jnp.zeros((30, 0)))
    assert np.all(np.isfinite(end.u)) and np.abs(end.u).max() < 50
