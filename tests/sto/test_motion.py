"""States tables: what they hold, and that OpenSim opens them as its own."""

import dataclasses

import jax
import numpy as np
import pytest

import jaxosim
from jaxosim import sto
from jaxosim.errors import TableFormatError
from jaxosim.models.catalog import resolve

MODEL = "gait14dof22musc_pros"


@pytest.fixture(scope="module")
def model():
    return jaxosim.load_model(MODEL)[0]


@pytest.fixture
def states(model):
    """Eleven made-up instants of one world, no two numbers alike."""
    rng = np.random.default_rng(0)
    coordinates, muscles = len(model.coordinate_names), len(model.muscle_names)
    return jaxosim.State(
        time=np.round(np.arange(11) * 0.01, 9),
        q=rng.uniform(-0.5, 0.5, (11, coordinates)),
        u=rng.uniform(-5, 5, (11, coordinates)),
        activation=rng.uniform(0.01, 1, (11, muscles)),
        fiber_length=rng.uniform(0.05, 0.1, (11, muscles)),
        normalized_tendon_force=np.zeros((11, 0)),
        force_states=np.zeros((11, 0)),
    )


def read(path):
    """Header lines, column names and numbers of a table."""
    header, body = path.read_text(encoding="utf-8").split("endheader\n")
    names, *rows = body.splitlines()
    numbers = np.array([[float(cell) for cell in row.split("\t")] for row in rows])
    return header.splitlines(), names.split("\t"), numbers


def test_header_counts_rows_and_columns(model, states, tmp_path):
    path = tmp_path / "states.sto"
    sto.write_states(path, model, states)
    header, names, numbers = read(path)
    assert header[0] == MODEL
    assert numbers.shape == (11, len(names)) == (11, 1 + 2 * 17 + 2 * 19)
    assert {"inDegrees=no", "nRows=11", "nColumns=73", "DataType=double", "version=3"} <= set(
        header
    )


def test_every_number_survives_exactly(model, states, tmp_path):
    path = tmp_path / "states.sto"
    sto.write_states(path, model, states)
    _, names, numbers = read(path)
    column = dict(zip(names, numbers.T, strict=True))
    tilt = model.coordinate_names.index("pelvis_tilt")
    knee = model.coordinate_names.index("knee_angle_r")
    soleus = model.muscle_names.index("soleus_l")
    same = np.testing.assert_array_equal
    same(column["time"], states.time)
    same(column["/jointset/ground_pelvis/pelvis_tilt/value"], states.q[:, tilt])
    same(column["/jointset/knee_r/knee_angle_r/speed"], states.u[:, knee])
    same(column["/forceset/soleus_l/activation"], states.activation[:, soleus])
    same(column["/forceset/soleus_l/fiber_length"], states.fiber_length[:, soleus])


def test_several_worlds_are_refused(model, states, tmp_path):
    both = dataclasses.replace(
        states,
        **{f.name: np.stack([getattr(states, f.name)] * 2, 1) for f in dataclasses.fields(states)},
    )
    with pytest.raises(jaxosim.ModelMismatchError, match="one world"):
        sto.write_states(tmp_path / "states.sto", model, both)


def test_states_of_another_model_are_refused(states, tmp_path):
    other, _ = jaxosim.load_model("arm2dof6musc")
    with pytest.raises(jaxosim.ModelMismatchError, match="State.q"):
        sto.write_states(tmp_path / "states.sto", other, states)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.opensim
def test_opensim_reads_the_numbers(model, states, tmp_path, opensim):
    path = tmp_path / "states.sto"
    sto.write_states(path, model, states)
    table = opensim.TimeSeriesTable(str(path))
    assert table.getNumRows() == 11
    np.testing.assert_array_equal(table.getIndependentColumn(), states.time)
    _, names, numbers = read(path)
    assert list(table.getColumnLabels()) == names[1:]
    np.testing.assert_array_equal(table.getMatrix().to_numpy(), numbers[:, 1:])


@pytest.mark.opensim
@pytest.mark.parametrize("name", jaxosim.bundled_models())
def test_opensim_replays_a_trajectory(name, tmp_path, opensim):
    """Written states become OpenSim's own states, complete and in the right variables."""
    model, _ = jaxosim.load_model(name)
    coordinates, muscles = len(model.coordinate_names), len(model.muscle_names)
    rng = np.random.default_rng(1)
    states = jaxosim.State(
        time=np.array([0.0, 0.01]),
        q=rng.uniform(-0.1, 0.1, (2, coordinates)),
        u=rng.uniform(-1, 1, (2, coordinates)),
        activation=rng.uniform(0.1, 1, (2, muscles)),
        fiber_length=rng.uniform(0.05, 0.1, (2, muscles)),
        normalized_tendon_force=np.zeros((2, 0)),
        force_states=np.zeros((2, 0)),
    )
    path = tmp_path / "states.sto"
    sto.write_states(path, model, states)
    oracle = opensim.Model(str(resolve(name)))
    oracle.initSystem()
    table = opensim.TimeSeriesTable(str(path))
    # Neither a missing nor an extra column is allowed, and no constraint is enforced.
    trajectory = opensim.StatesTrajectory.createFromStatesTable(oracle, table, False, False, False)
    assert trajectory.getSize() == 2
    state = trajectory.get(1)
    assert state.getTime() == pytest.approx(0.01)
    for index, joint in enumerate(model.tree.coordinate_joint):
        if model.locked[index]:
            continue  # OpenSim leaves NaN there, with tables of its own as well
        variable = f"/jointset/{model.joint_names[joint]}/{model.coordinate_names[index]}"
        value = oracle.getStateVariableValue(state, f"{variable}/value")
        assert value == pytest.approx(states.q[1, index], abs=1e-15)
        speed = oracle.getStateVariableValue(state, f"{variable}/speed")
        assert speed == pytest.approx(states.u[1, index], abs=1e-15)
    for index, muscle in enumerate(model.muscle_names):
        length = oracle.getStateVariableValue(state, f"/forceset/{muscle}/fiber_length")
        assert length == pytest.approx(states.fiber_length[1, index], abs=1e-15)


def test_states_are_read_back_exactly(model, states, tmp_path):
    _, params = jaxosim.load_model(MODEL)
    path = tmp_path / "states.sto"
    sto.write_states(path, model, states)
    back = sto.read_states(path, model, params)
    for field in dataclasses.fields(states):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(states, field.name))


def test_missing_states_are_named(model, states, tmp_path):
    _, params = jaxosim.load_model(MODEL)
    path = tmp_path / "motion.mot"
    sto.write_coordinates(path, model, states.time, states.q)
    with pytest.raises(TableFormatError, match="motion.mot: expected the columns .*/speed"):
        sto.read_states(path, model, params)


@pytest.mark.parametrize("in_degrees", [True, False])
def test_coordinates_keep_their_units(model, states, tmp_path, in_degrees):
    _, params = jaxosim.load_model(MODEL)
    path = tmp_path / "motion.mot"
    sto.write_coordinates(path, model, states.time, states.q, in_degrees)
    knee, height = (model.coordinate_names.index(n) for n in ("knee_angle_l", "pelvis_ty"))
    table = sto.read_table(path)
    factor = 180 / np.pi if in_degrees else 1
    assert table.in_degrees == in_degrees
    np.testing.assert_allclose(table.column("knee_angle_l"), factor * states.q[:, knee])
    np.testing.assert_array_equal(table.column("pelvis_ty"), states.q[:, height])
    time, q = sto.read_coordinates(path, model, params)
    np.testing.assert_array_equal(time, states.time)
    np.testing.assert_allclose(q, states.q, rtol=1e-15)


def test_a_motion_of_some_coordinates_leaves_the_others_at_their_defaults(model, tmp_path):
    _, params = jaxosim.load_model(MODEL)
    path = tmp_path / "knee.mot"
    path.write_text("knee\nversion=1\ninDegrees=yes\nendheader\ntime knee_angle_l grf_x\n0 90 5\n")
    states = sto.read_motion(path, model, params)
    expected = np.array(params.coordinates.default_value)
    expected[model.coordinate_names.index("knee_angle_l")] = np.pi / 2
    np.testing.assert_allclose(states.q[0], expected)
    np.testing.assert_array_equal(states.u, np.zeros_like(states.u))


def test_a_table_of_something_else_is_no_motion(model, tmp_path):
    _, params = jaxosim.load_model(MODEL)
    path = tmp_path / "forces.mot"
    path.write_text("forces\nendheader\ntime grf_x\n0 5\n")
    with pytest.raises(TableFormatError, match="forces.mot: expected columns of the coordinates"):
        sto.read_motion(path, model, params)


def test_old_names_of_states_are_read(tmp_path):
    model, params = jaxosim.load_model("arm2dof6musc")
    coordinates = [n for name in model.coordinate_names for n in (name, f"{name}_u")]
    fields = ("activation", "fiber_length")
    muscles = [f"{name}.{field}" for name in model.muscle_names for field in fields]
    labels = [*coordinates, *muscles]
    values = np.arange(2 * len(labels)).reshape(2, -1) / 100
    path = tmp_path / "old.sto"
    sto.write_table(path, sto.Table(tuple(labels), np.array([0, 0.5]), values))
    states = sto.read_states(path, model, params)
    np.testing.assert_array_equal(states.q, values[:, 0 : len(coordinates) : 2])
    np.testing.assert_array_equal(states.activation, values[:, len(coordinates) :: 2])


def test_controls_are_read_back_under_names_and_paths(model, tmp_path):
    time = np.array([0, 0.01])
    excitation = np.random.default_rng(2).uniform(0, 1, (2, len(model.muscle_names)))
    path = tmp_path / "controls.sto"
    sto.write_controls(path, model, time, excitation)
    np.testing.assert_array_equal(sto.read_controls(path, model)[1], excitation)
    labels = tuple(f"/forceset/{name}" for name in model.muscle_names)
    sto.write_table(path, sto.Table(labels, time, excitation))
    np.testing.assert_array_equal(sto.read_controls(path, model)[1], excitation)
    sto.write_table(path, sto.Table(labels[1:], time, excitation[:, 1:]))
    with pytest.raises(TableFormatError, match=model.muscle_names[0]):
        sto.read_controls(path, model)


@pytest.mark.opensim
@pytest.mark.parametrize("in_degrees", [True, False])
def test_opensim_reads_coordinates_in_both_units(model, states, tmp_path, opensim, in_degrees):
    path = tmp_path / "motion.mot"
    sto.write_coordinates(path, model, states.time, states.q, in_degrees)
    storage = opensim.Storage(str(path))
    assert storage.isInDegrees() == in_degrees
    oracle = opensim.Model(str(resolve(MODEL)))
    oracle.initSystem()
    processor = opensim.TableProcessor(str(path))
    if in_degrees:
        processor.append(opensim.TabOpConvertDegreesToRadians())
    table = processor.process(oracle)
    np.testing.assert_allclose(table.getMatrix().to_numpy(), states.q, rtol=1e-14)


def driven(opensim, path, method):
    """An arm of live OpenSim with a controls file, its state, and what keeps them alive."""
    arm = opensim.Model(str(resolve("arm2dof6musc")))
    controller = opensim.PrescribedController()
    controller.set_controls_file(str(path))
    if method is not None:
        controller.set_interpolation_method(method)
    arm.addController(controller)
    return arm, arm.initSystem(), controller


@pytest.mark.opensim
@pytest.mark.parametrize("method", [None, 0, 1])
@pytest.mark.parametrize("count", [1, 2, 20])
def test_opensim_holds_our_controls_by_every_method(tmp_path, opensim, method, count):
    model, _ = jaxosim.load_model("arm2dof6musc")
    time = np.round(0.5 + np.arange(count) * 0.01, 9)
    excitation = np.random.default_rng(3).uniform(0, 1, (count, 6))
    path = tmp_path / "controls.sto"
    sto.write_controls(path, model, time, excitation)
    arm, state, _kept = driven(opensim, path, method)
    for moment in (1e-6, 0.005, 0.009999):
        for row in range(count):
            state.setTime(time[row] + moment)
            arm.realizeVelocity(state)
            controls = arm.getControls(state)
            found = [controls.get(index) for index in range(6)]
            np.testing.assert_allclose(found, excitation[row], atol=1e-12)
    np.testing.assert_array_equal(sto.read_controls(path, model)[0], time)
    np.testing.assert_array_equal(sto.read_controls(path, model)[1], excitation)


@pytest.mark.opensim
@pytest.mark.parametrize("method", [None, 0])
def test_opensim_replays_a_rollout_from_its_controls(tmp_path, opensim, method):
    """One integration without stops ends where each row held for its control step ends."""
    model, params = jaxosim.load_model("arm2dof6musc")
    excitation = np.random.default_rng(4).uniform(0, 1, (20, 6))
    path = tmp_path / "controls.sto"
    sto.write_controls(path, model, np.round(np.arange(20) * 0.01, 9), excitation)
    arm, state, _kept = driven(opensim, path, method)
    arm.equilibrateMuscles(state)
    start = jaxosim.initial_state(model, params)
    options = jaxosim.Options.reference(1e-8)
    ours = jaxosim.rollout(model, params, start, excitation, options)
    manager = opensim.Manager(arm)
    manager.setIntegratorAccuracy(1e-8)
    manager.initialize(state)
    state = manager.integrate(0.2)
    coordinates = [arm.getCoordinateSet().get(name) for name in model.coordinate_names]
    theirs = [coordinate.getValue(state) for coordinate in coordinates]
    np.testing.assert_allclose(ours.q[-1], theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("start", [0.0, 1e5, 1e8, 1e12])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_controls_are_read_back_at_any_time(model, tmp_path, start, count):
    time = start + np.arange(count)
    excitation = np.random.default_rng(2).uniform(0, 1, (count, len(model.muscle_names)))
    path = tmp_path / "controls.sto"
    for values in (excitation, np.full_like(excitation, 0.5)):
        sto.write_controls(path, model, time, values)
        np.testing.assert_array_equal(sto.read_controls(path, model)[0], time)
        np.testing.assert_array_equal(sto.read_controls(path, model)[1], values)


def test_a_number_too_large_for_the_dtype_of_the_model_is_an_error(tmp_path):
    model, params = jaxosim.load_model("arm2dof6musc")
    single = jax.tree.map(lambda leaf: leaf.astype(np.float32), params)
    path = tmp_path / "motion.mot"
    sto.write_coordinates(path, model, np.zeros(1), np.array([[1e39, 0]]), in_degrees=False)
    assert sto.read_motion(path, model, params).q[0, 0] == 1e39
    with pytest.raises(TableFormatError, match=r"found 1e\+39 at 0.0 s \(float32\)"):
        sto.read_motion(path, model, single)


def test_rows_of_other_controls_are_all_kept(model, tmp_path):
    """Repeated rows and close times are no ends of holds unless both come together."""
    muscles = len(model.muscle_names)
    path = tmp_path / "controls.sto"
    for time in ([0, 0.1], [0, 0.1, 0.2], [0, 1e-9, 0.1], [0, 0.1, 0.1 + 1e-9]):
        excitation = np.arange(len(time))[:, None] * np.ones(muscles)
        sto.write_table(path, sto.Table(model.muscle_names, np.array(time), excitation))
        np.testing.assert_array_equal(sto.read_controls(path, model)[0], time)
    for time in ([0, 0.1], [0, 0.1, 0.2]):
        excitation = np.ones((len(time), muscles))
        sto.write_table(path, sto.Table(model.muscle_names, np.array(time), excitation))
        np.testing.assert_array_equal(sto.read_controls(path, model)[0], time)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_none_is_an_error_where_it_would_be_used(model, states, tmp_path, value):
    _, params = jaxosim.load_model(MODEL)
    path = tmp_path / "states.sto"
    states.q[3, model.coordinate_names.index("knee_angle_r")] = value
    sto.write_states(path, model, states)
    complaint = f"states.sto: expected finite .*knee_angle_r/value', found {value} at 0.03 s"
    for read_file in (sto.read_states, sto.read_motion, sto.read_coordinates):
        with pytest.raises(TableFormatError, match=complaint):
            read_file(path, model, params)
    assert np.isnan(sto.read_table(path).values).any() or value == np.inf
    excitation = np.full((2, len(model.muscle_names)), 0.5)
    excitation[1, 4] = value
    sto.write_controls(path, model, np.array([0, 1]), excitation)
    with pytest.raises(TableFormatError, match=f"{model.muscle_names[4]}', found {value} at 1.0 s"):
        sto.read_controls(path, model)


def test_nan_of_a_locked_coordinate_is_its_default_and_elsewhere_is_not_looked_at(tmp_path):
    model, params = jaxosim.load_model("gait14dof22musc")
    locked = model.coordinate_names[int(np.flatnonzero(model.locked)[0])]
    path = tmp_path / "motion.sto"
    text = f"m\nversion=3\nendheader\ntime\tpelvis_ty\t{locked}\tgrf\n"
    path.write_text(text + "0\t0.9\tnan\tnan\n1\t0.9\tnan\t5\n")
    q = sto.read_coordinates(path, model, params)[1]
    index = model.coordinate_names.index(locked)
    np.testing.assert_array_equal(
        q[:, index], np.repeat(params.coordinates.default_value[index], 2)
    )
    path.write_text(text + "0\t0.9\tnan\tnan\n1\t0.9\t0.1\t5\n")
    with pytest.raises(TableFormatError, match=f"column '{locked}', found nan at 0.0 s"):
        sto.read_coordinates(path, model, params)


@pytest.mark.opensim
@pytest.mark.parametrize("name", ["arm2dof6musc", MODEL])
def test_we_read_what_opensim_writes(name, tmp_path, opensim):
    """States from OpenSim's own reporter, exactly as OpenSim reads them back."""
    model, params = jaxosim.load_model(name)
    oracle = opensim.Model(str(resolve(name)))
    reporter = opensim.StatesTrajectoryReporter()
    reporter.set_report_time_interval(0.005)
    oracle.addComponent(reporter)
    state = oracle.initSystem()
    oracle.equilibrateMuscles(state)
    manager = opensim.Manager(oracle)
    manager.initialize(state)
    manager.integrate(0.02)
    table = reporter.getStates().exportToTable(oracle)
    path = tmp_path / "opensim.sto"
    opensim.STOFileAdapter.write(table, str(path))
    states = sto.read_states(path, model, params)
    table = opensim.TimeSeriesTable(str(path))  # OpenSim prints fewer digits than it has
    numbers = table.getMatrix().to_numpy()
    labels = list(table.getColumnLabels())
    assert states.q.shape[0] == len(numbers) > 2
    for index, joint in enumerate(model.tree.coordinate_joint):
        if not model.locked[index]:
            path = f"/jointset/{model.joint_names[joint]}/{model.coordinate_names[index]}"
            np.testing.assert_array_equal(
                states.q[:, index], numbers[:, labels.index(f"{path}/value")]
            )
            np.testing.assert_array_equal(
                states.u[:, index], numbers[:, labels.index(f"{path}/speed")]
            )
    for index, muscle in enumerate(model.muscle_names):
        column = numbers[:, labels.index(f"/forceset/{muscle}/fiber_length")]
        np.testing.assert_array_equal(states.fiber_length[:, index], column)
    assert np.all(np.isfinite(states.q))


@pytest.mark.opensim
@pytest.mark.parametrize("in_degrees", [True, False])
def test_we_read_motions_that_opensim_writes(model, tmp_path, opensim, in_degrees):
    _, params = jaxosim.load_model(MODEL)
    storage = opensim.Storage()
    storage.setName("Coordinates")
    labels = opensim.ArrayStr()
    for label in ("time", "knee_angle_l", "pelvis_ty"):
        labels.append(label)
    storage.setColumnLabels(labels)
    row = opensim.StateVector(0.25)
    row.setStates(0.25, opensim.Vector([30.0, 0.9]))
    storage.append(row)
    storage.setInDegrees(in_degrees)
    path = tmp_path / "opensim.mot"
    opensim.Storage.printResult(storage, "opensim", str(tmp_path), -1, ".mot")
    time, q = sto.read_coordinates(path, model, params)
    knee, height = (model.coordinate_names.index(n) for n in ("knee_angle_l", "pelvis_ty"))
    assert time[0] == 0.25
    assert q[0, knee] == pytest.approx(np.deg2rad(30) if in_degrees else 30)
    assert q[0, height] == pytest.approx(0.9)
