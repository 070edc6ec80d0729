"""Bodies whose contact surfaces touch, in a file that OpenSim reads too, and their states."""

import jax.numpy as jnp
import numpy as np

from tests import hopper_model
from tests.models import osim_text as osim

TILTED = osim.element(
    "ContactHalfSpace",
    "slope",
    socket_frame="/ground",
    location="0.02 -0.03 0.01",
    orientation="0.3 0.2 -1.3",
)


SHAPES = {"a": ("-0.1 0 0.05", "0.12 -0.02 0", "0 0.03 -0.1"), "b": ("0 0 0", "0.1 0 0")}


def material(geometry, stiffness, dissipation, static, dynamic, viscous):
    return osim.element(
        "HuntCrossleyForce::ContactParameters",
        "",
        geometry=geometry,
        stiffness=stiffness,
        dissipation=dissipation,
        static_friction=static,
        dynamic_friction=dynamic,
        viscous_friction=viscous,
    )


def force(name, *materials, transition_velocity):
    tag = "HuntCrossleyForce::ContactParametersSet"
    inside = osim.members(tag, *materials).replace(f"<{tag}>", f'<{tag} name="contact_parameters">')
    return osim.element("HuntCrossleyForce", name, inside, transition_velocity=transition_velocity)


def two_bodies():
    """Two free bodies: `Body` and joint elements."""
    bodies = "".join(
        osim.body(name, "2", mass_center="0.01 0.02 0", inertia="0.1 0.2 0.15 0.01 0 0.02")
        for name in SHAPES
    )
    joints = "".join(
        osim.joint(
            "FreeJoint",
            f"j{name}",
            "/ground",
            f"/bodyset/{name}",
            osim.coordinates(*(f"{name}{k}" for k in range(3, 9))),
        )
        for name in SHAPES
    )
    return bodies, joints


def _world():
    """Two free bodies over a tilted half-space, with a plate on one of them."""
    spheres = [
        osim.element(
            "ContactSphere",
            f"{body}{i}",
            socket_frame=f"/bodyset/{body}",
            location=place,
            radius=str(0.05 + 0.01 * i),
        )
        for body, places in SHAPES.items()
        for i, place in enumerate(places)
    ]
    plate = osim.element(
        "ContactHalfSpace",
        "plate",
        socket_frame="/bodyset/b",
        location="0 0.1 0",
        orientation="0.1 0.2 -1.4",
    )
    hard, soft = ("400000", "0.4", "0.9", "0.6", "0.1"), ("90000", "1.5", "0.5", "0.5", "0.3")
    many = force(
        "many", material("slope a1", *hard), material("a0 a2", *soft), transition_velocity="0.2"
    )
    pair = force(
        "pair", material("a0 b0", *soft), material("b1", *hard), transition_velocity="0.05"
    )
    plated = force("plated", material("a2 plate", *hard), transition_velocity="0.1")
    lonely = force(
        "lonely", material("floor", *hard), material("b1", *soft), transition_velocity="0.1"
    )
    bodies, joints = two_bodies()
    return osim.model(
        many,
        pair,
        plated,
        lonely,
        bodies=bodies,
        joints=joints,
        rest=osim.members("ContactGeometrySet", TILTED, hopper_model.FLOOR, plate, *spheres),
    )


WORLD = _world()


def touching_states(model, params, count, seed):
    """Bodies near the floor and near each other, moving fast enough to pull."""
    rng = np.random.default_rng(seed)
    q = 0.3 * rng.standard_normal((count, 12))
    q[:, 3:6] = rng.uniform(-0.08, 0.08, (count, 3))
    q[:, 9:12] = q[:, 3:6] + rng.uniform(-0.12, 0.12, (count, 3))
    speed = rng.choice([0.0, 0.1, 1.0, 4.0], (count, 1))
    return hopper_model.states_at(model, params, q, speed * rng.standard_normal((count, 12)))


def as_states(states):
    from jaxosim import State

    return State(**{k: jnp.asarray(v) for k, v in states.items() if k != "excitation"})
