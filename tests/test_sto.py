"""States tables: what they hold, and that OpenSim opens them as its own."""

import dataclasses

import numpy as np
import pytest

import jaxosim
from jaxosim import sto
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
