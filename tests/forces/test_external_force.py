"""ExternalForce: beside OpenSim with tables of any length, in every frame; momentum; refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError, OsimFormatWarning, TableFormatError
from jaxosim.forces import external_force
from jaxosim.forces.force import BodyFrames, Kinematics
from jaxosim.outputs import force_records
from jaxosim.sto import Table, read_table, write_table
from tests import hopper_model
from tests.forces import checks
from tests.models import osim_text as osim

LABELS = tuple(f"{part}_{axis}" for part in ("f", "p", "t", "g") for axis in "xyz")
TIMES = (-0.7, 0.3, 0.9, 1.5, 3.0)
# A body in a plane, one turning on it with a frame of its own, one welded to that.
INNER = osim.offset("o", "..", "0.1 -0.1 0.2", "0.4 0.5 -0.6")
WELD_FRAME = osim.offset("weld_frame", "/bodyset/b", "0.3 0.1 0", "0.1 0.2 0.3")
HINGE_FRAME = osim.offset("hinge_frame", "/bodyset/a", "0.1 0.2 0", "0.5 0.3 0")
WORLD = osim.model(
    bodies=osim.body("a", "2", mass_center="0.1 0 0", inertia="0.3 0.2 0.4 0 0 0")
    + osim.body("b", "1", inertia="0.1 0.2 0.15 0 0 0").replace(
        "</Body>", f"<components>{INNER}</components></Body>"
    )
    + osim.body("w", "0.5", mass_center="0 0.1 0", inertia="0.1 0.1 0.1 0 0 0"),
    joints=osim.joint("PlanarJoint", "p", "/ground", "/bodyset/a", osim.coordinates(*"xyz"))
    + osim.joint(
        "PinJoint",
        "h",
        "hinge_frame",
        "/bodyset/b",
        osim.coordinates("h") + osim.frames(HINGE_FRAME),
    )
    + osim.joint("WeldJoint", "w", "weld_frame", "/bodyset/w", osim.frames(WELD_FRAME)),
)
SLIDER = osim.model(
    bodies=osim.body("a", "2"),
    joints=osim.joint("SliderJoint", "s", "/ground", "/bodyset/a", osim.coordinates("x")),
)


def force(name, body, **values):
    """An ExternalForce; identifiers are given as `force`, `point` and `torque`."""
    parts = {f"{p}_identifier": values.pop(p) for p in ("force", "point", "torque") if p in values}
    return osim.element("ExternalForce", name, applied_to_body=body, **parts, **values)


ALL = {"force": "f_", "point": "p_", "torque": "t_"}
FORCES = (
    force("plain", "a", force_expressed_in_body="ground", point_expressed_in_body="ground", **ALL),
    force("frames", "b", force_expressed_in_body="a", point_expressed_in_body="w", **ALL),
    force(
        "offset",
        "/bodyset/b/o",
        force_expressed_in_body="bodyset/b/o",
        point_expressed_in_body="/bodyset/b/o",
        **{**ALL, "force": " g_ "},
    ),
    force("at_origin", "bodyset/b/o", force="g_"),
    force("torque", "w", force="Unassigned", torque="t_"),
    force("on_ground", "ground", **ALL),
    force("off", "a", appliesForce="false", **ALL),
)


def write(folder, forces=FORCES, rows=20, datafile="data.sto", version=40000, values=None):
    """The paths of a model's and an ExternalLoads file, with a table of so many rows beside."""
    rng = np.random.default_rng(rows)
    time = (np.arange(rows) + rng.uniform(0, 0.5, rows)) * 2 / rows
    drawn = 5 * rng.standard_normal((rows, len(LABELS))) if values is None else values
    write_table(folder / "data.sto", Table(LABELS, time, drawn))
    inside = f"<objects>{''.join(forces)}</objects><groups/><datafile>{datafile}</datafile>"
    (folder / "loads.xml").write_text(
        f'<OpenSimDocument Version="{version}"><ExternalLoads name="loads">{inside}'
        "</ExternalLoads></OpenSimDocument>"
    )
    return folder / "loads.xml"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Model, params and file of all the forces."""
    loads = write(tmp_path_factory.mktemp("loads"))
    return *jaxosim.load_model(hopper_model.path_of(WORLD), external_loads=loads), loads


def at_time(model, params, time, seed=1):
    """A state at this time (s)."""
    state = checks.state_at(model, params, seed)
    return dataclasses.replace(state, time=jnp.asarray(time))


def slider(folder, *forces, **table):
    """Model and params of a body on a slider with these forces, by default one along it."""
    loads = write(folder, forces or [force("f", "a", force="f_")], **table)
    return jaxosim.load_model(hopper_model.path_of(SLIDER), loads)


def alone(model, params, time):
    """What the forces do at a time (s) while all frames are ground's."""
    frames, unmoved = len(model.tree.body) + 1, np.eye(3, 4)
    pose = jnp.tile(unmoved, (frames, 1, 1))
    structure, bodies = model.external_forces, BodyFrames(pose[..., :3], pose[..., 3])
    none = jnp.zeros(1)
    kinematics = Kinematics(
        time=jnp.asarray(time),
        q=none,
        u=none,
        pose=pose,
        velocity=none,
        hinge=none,
        path_length=none,
        lengthening_speed=none,
        force_states=none,
    )

    @jax.jit
    def info(numbers):
        instance = external_force.realize_instance(structure, numbers, bodies)
        return external_force.evaluate(structure, numbers, instance, kinematics, none)

    return info(params.external_forces)


# parity


def live_model(opensim, loads):
    """OpenSim's model with the forces of a file, which have to be kept, and its state."""
    live = opensim.Model(str(hopper_model.path_of(WORLD)))
    forces = opensim.ExternalLoads(str(loads), True)
    live.addModelComponent(forces)
    return live, forces, live.initSystem()


def assert_forces_are_opensims(opensim, model, params, loads):
    """Accelerations and records at several times, before, within and beyond the data."""
    live, forces, at = live_model(opensim, loads)
    for seed, time in enumerate(TIMES):
        state = at_time(model, params, time, seed)
        coordinates = list(live.getCoordinateSet())
        for coordinate, q, u in zip(coordinates, state.q, state.u, strict=True):
            coordinate.setValue(at, float(q), False)
            coordinate.setSpeedValue(at, float(u))
        at.setTime(time)
        live.realizeAcceleration(at)
        expected = [coordinate.getAccelerationValue(at) for coordinate in coordinates]
        info = hopper_model.describe(model, params, state, checks.no_controls())
        scale = np.maximum(1, np.abs(expected))
        found = info.coordinates.acceleration
        np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=1e-9)
        records = force_records(model, info)
        for index in range(forces.getSize()):
            one = forces.get(index)
            if one.getName() in records:
                values = one.getRecordValues(at)
                expected = [values.get(i) for i in range(values.getSize())]
                np.testing.assert_allclose(
                    records[one.getName()], expected, rtol=1e-10, atol=1e-9, err_msg=one.getName()
                )


@pytest.mark.opensim
def test_forces_through_splines_are_opensims_in_all_frames(opensim, world):
    model, params, loads = world
    assert model.force_names[-1] == "on_ground"
    assert_forces_are_opensims(opensim, model, params, loads)


@pytest.mark.slow
@pytest.mark.opensim
@pytest.mark.parametrize("rows", (1, 2, 3, 4, 1000))
def test_tables_of_any_length_are_interpolated_as_in_opensim(opensim, tmp_path, rows):
    loads = write(tmp_path, rows=rows)
    model, params = jaxosim.load_model(hopper_model.path_of(WORLD), loads)
    assert_forces_are_opensims(opensim, model, params, loads)


@pytest.mark.parametrize("rows", (1, 2, 3))
def test_few_rows_are_constants_or_straight_lines(tmp_path, rows):
    """As in OpenSim, which the slow test above shows for whole models."""
    values = np.tile([[3.0], [5.0], [-1.0]][:rows], len(LABELS))
    model, params = slider(tmp_path, rows=rows, values=values)
    data = read_table(tmp_path / "data.sto")
    times = np.array([data.time[0] - 1, data.time[0], data.time.mean(), data.time[-1] + 1])
    found = [float(alone(model, params, time).force[0, 0]) for time in times]
    first = np.diff(values[:2, 0]) / np.diff(data.time[:2]) if rows > 1 else [0.0]
    last = np.diff(values[-2:, 0]) / np.diff(data.time[-2:]) if rows > 1 else [0.0]
    expected = np.interp(times, data.time, values[:, 0])
    expected += np.minimum(times - data.time[0], 0) * first
    expected += np.maximum(times - data.time[-1], 0) * last
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# the files


def test_one_content_of_the_files_is_one_model(tmp_path):
    loads = write(tmp_path, [force("f", "a", force="f_")])
    path = hopper_model.path_of(SLIDER)
    first, _ = jaxosim.load_model(path, external_loads=loads)
    assert jaxosim.load_model(path, external_loads=loads)[0] is first
    assert jaxosim.load_model(path)[0].external_forces.names == ()
    write(tmp_path, [force("f", "a", force="f_")], rows=21)
    again, params = jaxosim.load_model(path, external_loads=loads)
    assert again is not first and len(params.external_forces.knots) == 22


def test_flags_of_old_files_are_turned_round(tmp_path):
    old = [force("f", "a", force="f_", isDisabled="true"), force("h", "a", force="f_")]
    model, _ = slider(tmp_path, *old, version=30000)
    assert model.external_forces.names == ("h",)


def test_an_unknown_frame_of_expression_is_ground_with_a_warning(tmp_path):
    given = force("f", "a", force="f_", force_expressed_in_body="no")
    with pytest.warns(OsimFormatWarning, match=r"loads.xml.*force_expressed_in_body.*ground"):
        model, _ = slider(tmp_path, given, rows=7)
    assert model.external_forces.body[1].tolist() == [-1]


@pytest.mark.parametrize(
    "given, message",
    [
        (force("f", "nobody", force="f_"), "applied_to_body.*nobody"),
        (force("f", "a", point="p_"), "expected a force_identifier"),
        (force("f", "a", point="p_", torque="t_"), "a torque_identifier without a point"),
        (force("f", "a", force="f_x"), "three columns .*data.sto .* 'f_x', found 1"),
        (force("f", "a", force="h_"), "three columns .*data.sto .* 'h_', found 0"),
        (osim.element("PrescribedForce", "f"), "expected ExternalForce, found 'PrescribedForce'"),
    ],
)
def test_forces_that_opensim_would_not_take_are_refused(tmp_path, given, message):
    with pytest.raises(OsimFormatError, match=rf"loads.xml: .*\[f\]: .*{message}"):
        slider(tmp_path, given)


def test_data_that_are_not_finite_are_refused(tmp_path):
    with pytest.raises(OsimFormatError, match="finite numbers in column 'f_x'"):
        slider(tmp_path, values=np.full((20, 12), np.nan))


@pytest.mark.parametrize("name", ("", "data.txt", "/etc/passwd"))
def test_only_tables_are_opened(tmp_path, name):
    with pytest.raises(OsimFormatError, match="expected as datafile the name of a .sto or .mot"):
        slider(tmp_path, datafile=name)


def test_files_that_are_missing_or_of_another_kind_are_named(tmp_path):
    path = hopper_model.path_of(SLIDER)
    loads = write(tmp_path, datafile="other.sto")
    with pytest.raises(FileNotFoundError, match="other.sto"):
        jaxosim.load_model(path, loads)
    (tmp_path / "other.sto").write_text("no table")
    with pytest.raises(TableFormatError, match="other.sto"):
        jaxosim.load_model(path, loads)
    with pytest.raises(OsimFormatError, match="expected ExternalLoads as first element"):
        jaxosim.load_model(path, path)
    with pytest.raises(OsimFormatError, match="loads.xml.*Version 20301 or later, found 20300"):
        jaxosim.load_model(path, write(tmp_path, version=20300))


def test_a_force_within_a_model_has_no_data():
    text = osim.model(force("f", "a", force="f_"), bodies=osim.body("a", "2"))
    with pytest.raises(OsimFormatError, match="passed to load_model as external_loads"):
        hopper_model.load(text)


def test_a_force_needs_a_name_of_its_own(tmp_path):
    text = osim.model(
        osim.element("CoordinateActuator", "f", coordinate="x", optimal_force="1"),
        bodies=osim.body("a", "2"),
        joints=osim.joint("SliderJoint", "s", "/ground", "/bodyset/a", osim.coordinates("x")),
    )
    loads = write(tmp_path, [force("f", "a", force="f_")])
    with pytest.raises(OsimFormatError, match="another name than that of a force of the model"):
        jaxosim.load_model(hopper_model.path_of(text), loads)


# property


@pytest.mark.thorough
def test_a_force_has_its_moment_about_the_common_point_and_none_on_ground(tmp_path):
    model, params = slider(tmp_path, force("f", "a", **ALL), force("g", "ground", **ALL))
    info = alone(model, params, 0.9)
    expected = [*(np.cross(info.point[0], info.force[0]) + info.torque[0]), *info.force[0]]
    np.testing.assert_allclose(info.wrench, [expected], rtol=1e-12)
    np.testing.assert_array_equal(info.force[1], info.force[0])


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences(world):
    model, params, _ = world
    state = at_time(model, params, 0.9)
    checks.assert_gradients_equal_differences(model, params, "external_forces", state, 1e-6)


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_steps_equals_single_ones_and_traces_once(world):
    model, params, _ = world
    at = [at_time(model, params, time, seed) for seed, time in enumerate((-0.1, 0.6, 2.5))]
    checks.assert_batches_equal_single_steps(model, params, at)
