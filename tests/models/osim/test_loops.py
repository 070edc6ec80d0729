"""Joints that close a loop: their child is split as OpenSim splits it, or they are refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import UnsupportedComponentError
from jaxosim.integrators.projection import project
from tests import hopper_model
from tests.models import osim_text as osim

CLOSED = 1e-10  # (rad | m) of an assembled loop


def linkage(*links, bodies="abc", masses=None):
    """Bodies and joints: (class, parent, child, place in the parent, number of coordinates)."""
    joints = ""
    for number, (kind, parent, child, place, count) in enumerate(links):
        name = f"j{number}"
        frames = osim.frames(
            osim.offset(f"{name}_p", parent, place, "0 0 0"),
            osim.offset(f"{name}_c", child, "-0.05 0 0", "0 0 0"),
        )
        names = [f"{name}_{i}" for i in range(count)]
        inside = osim.coordinates(*names) if names else ""
        joints += osim.joint(kind, name, f"{name}_p", f"{name}_c", inside + frames)
    made = "".join(
        osim.body(
            name,
            (masses or {}).get(name, "1.5"),
            mass_center="0.05 -0.03 0.02",
            inertia="0.2 0.3 0.25 0.02 -0.01 0.03",
        )
        for name in bodies
    )
    return osim.model(bodies=made, joints=joints)


A, B, C = "/bodyset/a", "/bodyset/b", "/bodyset/c"
WORLDS = {
    "a triangle": linkage(
        ("PinJoint", "/ground", A, "0 0 0", 1),
        ("PinJoint", A, B, "0.4 0 0", 1),
        ("PinJoint", "/ground", B, "0.45 0 0", 1),
        bodies="ab",
    ),
    "a weld of the tree": linkage(
        ("PinJoint", "/ground", A, "0 0 0", 1),
        ("PinJoint", A, B, "0.4 0 0", 1),
        ("PinJoint", B, C, "0.4 0 0", 1),
        ("WeldJoint", A, C, "0.85 0 0", 0),
    ),
    "two slaves of one body": linkage(
        ("PinJoint", "/ground", A, "0 0 0", 1),
        ("BallJoint", "/ground", A, "0 0 0", 3),
        ("GimbalJoint", "/ground", A, "0 0 0", 3),
        bodies="a",
    ),
    "reversed, beside a massless body": linkage(
        ("PinJoint", "/ground", A, "0 0 0", 1),
        ("PinJoint", A, B, "0.4 0 0", 1),
        ("PinJoint", B, C, "0.4 0 0", 1),
        ("PinJoint", C, "/ground", "0.1 0.2 0", 1),
        masses={"a": "0"},
    ),
}


projected = jax.jit(project)

# parity


@pytest.mark.opensim
@pytest.mark.parametrize(
    "name",
    [n if n == "a triangle" else pytest.param(n, marks=pytest.mark.thorough) for n in WORLDS],
)
def test_accelerations_are_opensims(opensim, name):
    model, params = hopper_model.load(WORLDS[name])
    live = hopper_model.oracle_of(WORLDS[name])
    assert live.coordinate_names == tuple(n.rpartition("/")[2] for n in model.coordinate_names)
    state = hopper_model.initial(model, params)
    speeds = np.random.default_rng(2).standard_normal(len(model.coordinate_names))
    moving = projected(model, params, dataclasses.replace(state, u=jnp.asarray(speeds)))
    states = hopper_model.states_at(model, params, [moving.q], [moving.u])
    comparison = hopper_model.assert_parity(WORLDS[name], states)
    assert np.abs(comparison.expected["u_dot"]).max() > 0.1


@pytest.mark.opensim
def test_an_open_loop_closes_as_in_opensim(opensim):
    """OpenSim's initSystem leaves it open; its integrator projects the pose, and assembles none."""
    world = linkage(
        ("PinJoint", "/ground", A, "0 0 0", 1),
        ("PinJoint", A, B, "0.4 0.2 0", 1),
        ("PinJoint", B, C, "0.4 -0.1 0", 1),
        ("PinJoint", "/ground", C, "0.6 -0.2 0", 1),
    )
    text = world.replace(
        '<Coordinate name="j1_0">',
        '<Coordinate name="j1_0"><default_value>0.3</default_value><clamped>true</clamped>'
        "<range>0.2 0.4</range>",
    )
    assert text != world
    live = opensim.Model(str(hopper_model.path_of(text)))
    start = live.initSystem()
    coordinates = live.getCoordinateSet()
    given = [coordinates.get(i).getValue(start) for i in range(coordinates.getSize())]
    np.testing.assert_array_equal(given, [0.0, 0.3, 0.0, 0.0])
    manager = opensim.Manager(live)
    manager.setIntegratorAccuracy(1e-10)
    manager.initialize(start)
    closed = manager.integrate(1e-9)
    expected = [coordinates.get(i).getValue(closed) for i in range(coordinates.getSize())]
    found = jaxosim.initial_state(*hopper_model.load(text))
    assert not 0.2 <= found.q[1] <= 0.4
    np.testing.assert_allclose(found.q, expected, rtol=0, atol=1e-8)


# property


def test_slaves_share_the_mass_and_follow_the_body():
    model, params = hopper_model.load(WORLDS["two slaves of one body"])
    assert model.body_names == ("a", "a_slave_0", "a_slave_1")
    np.testing.assert_allclose(params.bodies.mass, 0.5)


# refusals


@pytest.mark.parametrize("kind, count", [("WeldJoint", 0), ("FreeJoint", 6)])
def test_left_over_welds_and_free_joints_are_refused(kind, count):
    text = linkage(
        ("PinJoint", "/ground", A, "0 0 0", 1),
        ("PinJoint", A, B, "0.4 0 0", 1),
        (kind, A, B, "0.4 0 0", count),
        bodies="ab",
    )
    with pytest.raises(UnsupportedComponentError, match=f"{kind}.*j2.*kinematic loop"):
        hopper_model.load(text)
