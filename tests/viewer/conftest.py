"""What the viewer's tests need: models and a motion to show."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.viewer.motion import Motion, write_motion
from jaxosim.viewer.scene import default_state

SQUARE = """<?xml version="1.0"?>
<VTKFile type="PolyData" version="0.1" byte_order="LittleEndian">
<PolyData><Piece NumberOfPoints="5" NumberOfPolys="2">
<Points><DataArray type="Float32" NumberOfComponents="3" format="ascii">
0 0 0  1 0 0  1 1 0  0 1 0  0 0 1
</DataArray></Points>
<Polys>
<DataArray type="Int32" Name="connectivity" format="ascii">0 1 2 3 0 1 4</DataArray>
<DataArray type="Int32" Name="offsets" format="ascii">4 7</DataArray>
</Polys></Piece></PolyData></VTKFile>
"""


@pytest.fixture(scope="session")
def walker():
    return jaxosim.load_model("gait14dof22musc_pros")


@pytest.fixture(scope="session")
def arm():
    return jaxosim.load_model("arm2dof6musc")


def made_up(model, params, moves):
    """Half a second of two worlds in made-up poses; not simulated, so that it costs nothing.

    `moves` gives coordinates of both worlds as functions of time; the other ones stay.
    """
    time = np.round(np.arange(51) * 0.01, 9)
    state = default_state(params)

    def tiled(values):
        return np.tile(np.asarray(values, np.float64), (len(time), 2, 1))

    q, activation = tiled(state.q), tiled(state.activation)
    for name, move in moves.items():
        q[..., model.coordinate_names.index(name)] = np.stack(
            np.broadcast_arrays(*move(time)), axis=1
        )
    activation[:, 0] = time[:, None] * 2
    states = jaxosim.State(
        time=time,
        q=q,
        u=tiled(state.u),
        activation=activation,
        fiber_length=tiled(state.fiber_length),
        normalized_tendon_force=tiled(state.normalized_tendon_force),
        force_states=tiled(state.force_states),
    )
    target = np.tile([[1.0, 0, 0], [0, 0, 1.5]], (len(time), 1, 1))
    return Motion("made_up.npz", model, params, states, target_velocity=target)


@pytest.fixture(scope="session")
def made_up_run(arm):
    """An arm that swings; its model is the quickest to compile and to draw."""
    moves = {
        "r_shoulder_elev": lambda t: (np.sin(6 * t), 0.0),
        "r_elbow_flex": lambda t: (1 + np.sin(9 * t), 1.0),
    }
    return made_up(*arm, moves)


@pytest.fixture(scope="session")
def walker_run(walker):
    """A walker that swings a knee over the ground."""
    moves = {"knee_angle_l": lambda t: (-np.sin(4 * t), -1.0), "pelvis_tx": lambda t: (t, t)}
    return made_up(*walker, moves)


@pytest.fixture(scope="session")
def run_file(made_up_run, tmp_path_factory):
    """The same motion as `jaxosim rollout` would write it."""
    path = tmp_path_factory.mktemp("motion") / "made_up.npz"
    write_motion(path, made_up_run, {"source": "/etc/passwd"})
    return path


def still_activated(params, level):
    """The default state with all muscles at one activation."""
    state = default_state(params)
    return dataclasses.replace(state, activation=jnp.full_like(state.activation, level))
