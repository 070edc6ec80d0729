"""ControlSetController: beside OpenSim over time, lines and steps, files that are refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.dynamics.controls import total_controls
from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from tests import hopper_model
from tests.models import osim_text as osim

NODES = ((0.1, 0.2), (0.3, 0.8), (0.6, -0.4))
NAMES = ("line", "steps", "held", "one", "both", "free")
TIMES = (-0.2, 0.1, 0.17, 0.3, 0.35, 0.6, 0.9)


def nodes(rows):
    """The nodes of a control."""
    pairs = ("".join(osim.leaves({"t": t, "value": value})) for t, value in rows)
    each = (f"<ControlLinearNode>{pair}</ControlLinearNode>" for pair in pairs)
    return f"<x_nodes>{''.join(each)}</x_nodes>"


def control(name, rows=NODES, kind="ControlLinear", **values):
    """A control of a file."""
    return osim.element(kind, name, nodes(rows), **values)


def file_of(*controls, defaults=""):
    """A file with controls."""
    inside = f"<defaults>{defaults}</defaults><objects>{''.join(controls)}</objects>"
    controls = osim.element("ControlSet", "s", inside)
    return f'<OpenSimDocument Version="30000">{controls}</OpenSimDocument>'


TABLE = """controls
version=1
nRows=3
nColumns=3
inDegrees=no
endheader
time\tline\tboth.excitation
0.1\t0.2\t1
0.3\t0.8\t2
0.6\t-0.4\t1.5
"""
FILES = {
    "all.xml": file_of(
        control("line.excitation", use_steps="false"),
        control("steps"),
        control("held", use_steps="false", extrapolate="false", default_max="0.3", filter_on="1"),
        control("one", NODES[:1], use_steps="false"),
        control("both.excitation", ((0, 1), (1, 2))),
        control("both", ((0, 3), (1, 5)), use_steps="false"),
        defaults=osim.element("ControlLinear", "default", use_steps="true"),
    ),
    "table.sto": TABLE,
    "constant.xml": file_of(control("line", kind="ControlConstant", value="1")),
    "other.xml": file_of(control("line", is_model_control="false")),
    "unsorted.xml": file_of(control("line", NODES[::-1])),
    "twice.xml": file_of(control("line", (NODES[0], NODES[0]))),
    "empty.xml": file_of(control("line", ())),
    "stranger.xml": file_of(control("nobody")),
    "model.xml": osim.model(),
    "broken.xml": "<OpenSimDocument",
    "wrench.xml": file_of(control("wrench")),
}


@pytest.fixture(scope="module", autouse=True)
def folder():
    """The folder of the models, with the files beside them."""
    home = hopper_model.path_of(osim.model()).parent
    for name, text in FILES.items():
        (home / name).write_text(text, encoding="utf-8")
    return home


def controller(name, file, **values):
    """A controller that names a file."""
    values = {"controls_file": file} | values
    return osim.element("ControlSetController", name, **values)


def world(*controllers):
    """A pendulum with actuators, the last of which has no control in a file."""
    forces = (
        osim.element("CoordinateActuator", name, coordinate="q", optimal_force="2")
        for name in NAMES
    )
    return osim.model(*forces, rest=osim.members("ControllerSet", *controllers))


# One is switched off, which OpenSim takes back, one names no file.
WORLD = world(
    controller("c", "all.xml", enabled="false", socket_actuators="/forceset/steps"),
    controller("d", "table.sto"),
    controller("e", "Unassigned"),
)


@jax.jit
def added(model, params, time, controls):
    """The controls at work."""
    return total_controls(model, params, time, controls, jnp.zeros(0))


# parity


@pytest.mark.opensim
def test_controls_are_opensims_at_nodes_and_between(opensim, folder, monkeypatch):
    monkeypatch.chdir(folder)
    model, params = hopper_model.load(WORLD)
    live = opensim.Model(str(hopper_model.path_of(WORLD)))
    state = live.initSystem()
    for time in TIMES:
        state.setTime(time)
        live.realizeVelocity(state)
        found = added(model, params, jnp.asarray(time), jnp.zeros(6))
        np.testing.assert_allclose(found, live.getControls(state).to_numpy(), atol=1e-12)


# property


@pytest.mark.thorough
def test_steps_end_at_their_nodes_and_lines_go_on_unless_they_are_held():
    model, params = hopper_model.load(world(controller("c", "all.xml")))
    at = [added(model, params, jnp.asarray(t), jnp.ones(6)) for t in (0.0, 0.3, 0.30001, 0.9)]
    steps = [float(values[1]) - 1 for values in at]
    np.testing.assert_allclose(steps, [0.2, 0.8, -0.4, -0.4], atol=1e-12)
    np.testing.assert_allclose([at[0][0], at[0][2]], [0.9, 1.2], atol=1e-12)
    np.testing.assert_allclose(np.array(at)[:, 5], 1.0)  # given, and left alone


# gradient, batch, compile


@pytest.mark.thorough
def test_gradients_equal_differences_and_batches_by_the_fused_kernel_single_steps():
    model, params = hopper_model.load(WORLD)
    start = hopper_model.initial(model, params)
    own = params.control_set_controllers

    def accelerated(own, time):
        numbers = dataclasses.replace(params, control_set_controllers=own)
        at = dataclasses.replace(start, time=time)
        return jnp.sum(hopper_model.rates(model, numbers, at, jnp.zeros(6)).u)

    at = (own, jnp.asarray(0.2))
    direction = jax.tree.map(
        lambda x: jnp.asarray(np.linspace(0.1, 0.2, x.size).reshape(x.shape)), at
    )
    slopes = jax.jit(jax.grad(accelerated, argnums=(0, 1)))(*at)
    expected = hopper_model.slope_along(lambda x: accelerated(*x), at, direction, 1e-3)
    assert hopper_model.all_finite(slopes) and hopper_model.nonzero(slopes[1])
    assert hopper_model.inner(slopes, direction) == pytest.approx(float(expected), rel=1e-7)
    states = [dataclasses.replace(start, time=jnp.asarray(time)) for time in (0.05, 0.5)]
    hopper_model.assert_batches_equal_single_worlds(jaxosim.step, model, params, states)


# refusals


@pytest.mark.parametrize(
    "file, message",
    [
        ("none.xml", "a file in the model's folder, found 'none.xml'"),
        ("../outside.xml", "a file in the model's folder"),
        ("/etc/passwd", "a file in the model's folder"),
        ("unsorted.xml", "nodes of 'line', one or more, in ascending order"),
        ("twice.xml", "nodes of 'line'"),
        ("empty.xml", "nodes of 'line'"),
        ("stranger.xml", "controls of actuators in its file, found nobody"),
        ("model.xml", "expected ControlSet"),
        ("broken.xml", "broken.xml"),
    ],
)
def test_files_that_cannot_be_used_are_errors_that_name_the_controller(file, message):
    with pytest.raises(OsimFormatError, match=rf"ControlSetController\[c\].*{message}"):
        hopper_model.load(world(controller("c", file)))


@pytest.mark.parametrize("file", ["constant.xml", "other.xml"])
def test_controls_that_opensim_counts_wrongly_are_refused_by_name(file):
    with pytest.raises(UnsupportedComponentError, match="only ControlLinear") as caught:
        hopper_model.load(world(controller("c", file)))
    assert [one.name for one in caught.value.unsupported] == ["c"]


def test_actuators_of_several_controls_are_refused_by_name():
    body = osim.element("BodyActuator", "wrench", socket_body="/bodyset/a")
    driven = osim.members("ControllerSet", controller("c", "wrench.xml"))
    with pytest.raises(UnsupportedComponentError, match="wrench has 6"):
        hopper_model.load(osim.model(body, rest=driven))


def test_a_changed_file_is_read_anew(folder):
    text = world(controller("again", "changing.xml"))
    found = []
    for value in (1, 2):
        (folder / "changing.xml").write_text(file_of(control("line", ((0, value), (1, value)))))
        found.append(added(*hopper_model.load(text), jnp.asarray(0.5), jnp.zeros(6))[0])
    assert found == [1.0, 2.0]
