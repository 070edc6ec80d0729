"""The commands: what they print and write, and one clear line for whatever a user gets wrong."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.cli import main
from jaxosim.cli.rollout import HELD_STEPS, ControlSignal, Job

ROOT = pathlib.Path(__file__).resolve().parents[2]
PENDULUM = """<?xml version="1.0" encoding="UTF-8" ?>
<OpenSimDocument Version="40600">
  <Model name="pendulum">
    <gravity>0 -9.80665 0</gravity>
    <Ground name="ground" />
    <BodySet name="bodyset">
      <objects>
        <Body name="rod">
          <mass>1.5</mass>
          <mass_center>0 -0.5 0</mass_center>
          <inertia>0.1 0.1 0.1 0 0 0</inertia>
        </Body>
      </objects>
    </BodySet>
    <JointSet name="jointset">
      <objects>
        <PinJoint name="hinge">
          <socket_parent_frame>ground_offset</socket_parent_frame>
          <socket_child_frame>rod_offset</socket_child_frame>
          <coordinates>
            <Coordinate name="angle">
              <default_value>0.5</default_value>
            </Coordinate>
          </coordinates>
          <frames>
            <PhysicalOffsetFrame name="ground_offset">
              <socket_parent>/ground</socket_parent>
              <translation>0 2 0</translation>
            </PhysicalOffsetFrame>
            <PhysicalOffsetFrame name="rod_offset">
              <socket_parent>/bodyset/rod</socket_parent>
            </PhysicalOffsetFrame>
          </frames>
        </PinJoint>
      </objects>
    </JointSet>
    <ForceSet name="forceset">
      <objects>
        <CoordinateActuator name="motor">
          <coordinate>angle</coordinate>
          <optimal_force>0.1</optimal_force>
        </CoordinateActuator>
      </objects>
    </ForceSet>
  </Model>
</OpenSimDocument>
"""


# One shape for most rollouts, so that they share a compiled program.
SHORT = "--batch", 2, "--seconds", 0.2


@pytest.fixture
def pendulum(tmp_path):
    path = tmp_path / "pendulum.osim"
    path.write_text(PENDULUM, encoding="utf-8")
    return str(path)


@pytest.fixture
def run(capsys):
    """Runs a command in this process: (exit status, standard output, standard error)."""

    def run_command(*arguments):
        with pytest.raises(SystemExit) as exit_info:
            main.main([str(argument) for argument in arguments])
        return exit_info.value.code, *capsys.readouterr()

    return run_command


def run_process(*arguments):
    command = [sys.executable, "-m", "jaxosim.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)


def test_version(run):
    assert run("--version") == (0, f"jaxosim, version {jaxosim.__version__}\n", "")


def test_no_command_shows_the_help(run):
    status, out, _ = run()
    assert status == 0
    assert "rollout" in out and "info" in out


def test_info_shows_every_part_of_a_model(run):
    status, out, _ = run("info", "gait14dof22musc_pros")
    model, _ = jaxosim.load_model("gait14dof22musc_pros")
    assert status == 0
    names = (*model.body_names, *model.coordinate_names, *model.muscle_names, *model.joint_names)
    assert [name for name in names if name not in out] == []
    for name in (*model.contacts.element_names, *model.limits.names, *model.springs.names):
        assert name in out
    assert "72.17" in out
    assert "3 (hip_rotation_r, hip_rotation_l, lumbar_extension)" in out


def test_rollout_reports_what_was_read_and_what_came_of_it(run, pendulum):
    status, out, _ = run("rollout", pendulum, *SHORT)
    assert status == 0
    assert "pendulum" in out and "1.5 kg" in out
    assert "compiled in" in out
    assert "40 control steps in" in out and "control steps per second" in out
    assert "2 of 2 worlds stayed finite" in out
    assert "greatest height (m)" in out and "2.000" in out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_npz_holds_the_whole_rollout(run, pendulum, tmp_path, dtype):
    out = tmp_path / "run.npz"
    arguments = *SHORT, "--dtype", dtype, "--seed", 7, "--out", out
    assert run("rollout", pendulum, *arguments)[0] == 0
    data = np.load(out)
    assert data["time"].tolist() == [round(0.01 * k, 9) for k in range(21)]
    assert data["q"].shape == data["u"].shape == (21, 2, 1)
    assert data["activation"].shape == data["fiber_length"].shape == (21, 2, 0)
    assert data["controls"].shape == (20, 2, 1)
    assert np.all((data["controls"] > 0) & (data["controls"] < 1))
    assert data["q"][-1, 0] != data["q"][-1, 1]
    assert data["q"].dtype == dtype
    assert data["finite"].all()
    assert data["coordinate_names"].tolist() == ["angle"]
    assert data["control_names"].tolist() == ["motor"]
    metadata = json.loads(str(data["metadata"]))
    assert metadata["model"] == "pendulum" and metadata["seed"] == 7
    np.testing.assert_allclose(data["q"][0], 0.5)
    assert list(tmp_path.glob(".*")) == []


def test_the_pendulum_swings_and_keeps_its_energy(run, pendulum, tmp_path):
    out = tmp_path / "run.npz"
    arguments = *SHORT, "--dtype", "float64", "--controls", "constant:0", "--out", out
    assert run("rollout", pendulum, *arguments)[0] == 0
    data = np.load(out)
    angle, speed = data["q"][:, 0, 0], data["u"][:, 0, 0]
    energy = 0.5 * (0.1 + 1.5 * 0.5**2) * speed**2 - 1.5 * 9.80665 * 0.5 * np.cos(angle)
    np.testing.assert_allclose(energy, energy[0], rtol=1e-3)
    assert np.all(np.diff(angle) < 0)


def test_sto_holds_world_0_and_says_so(run, pendulum, tmp_path):
    out = tmp_path / "run.sto"
    status, printed, _ = run("rollout", pendulum, *SHORT, "--out", out)
    assert status == 0
    assert "world 0 of 2" in printed
    assert "/jointset/hinge/angle/value" in out.read_text(encoding="utf-8")


def test_an_existing_file_survives_a_failure(run, pendulum, tmp_path, monkeypatch):
    out = tmp_path / "run.npz"
    out.write_bytes(b"precious")

    def fail(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    status, _, error = run("rollout", pendulum, *SHORT, "--out", out)
    assert (status, error.splitlines()[-1]) == (1, "jaxosim: disk full")
    assert out.read_bytes() == b"precious"
    assert list(tmp_path.glob(".*")) == []


def test_diverged_worlds_are_counted_and_fail(run, pendulum, tmp_path, monkeypatch):
    original = main.run

    def with_one_diverged(*arguments, **options):
        result = original(*arguments, **options)
        result.finite[0] = False
        return result

    monkeypatch.setattr(main, "run", with_one_diverged)
    status, out, error = run("rollout", pendulum, *SHORT)
    assert status == 1
    assert "1 of 2 worlds stayed finite" in out
    assert "1 of 2 worlds diverged" in error


BAD_COMMAND_LINES = {
    "missing model": (["info"], "Missing argument"),
    "model and cache": (["info", "arm2dof6musc", "--cache"], "not both"),
    "clearing a model": (["info", "arm2dof6musc", "--clear"], "--cache"),
    "unknown command": (["fly"], "No such command"),
    "unknown option": (["rollout", "arm2dof6musc", "--btch", "3"], "--batch"),
    "unknown model": (["info", "gait14dof22musc_pro"], "did you mean gait14dof22musc_pros"),
    "no model at all": (["info", "\0"], "no bundled model and no file"),
    "directory": (["info", "."], "directory"),
    "zero batch": (["rollout", "arm2dof6musc", "--batch", "0"], "--batch"),
    "negative seconds": (["rollout", "arm2dof6musc", "--seconds", "-1"], "--seconds"),
    "infinite seconds": (["rollout", "arm2dof6musc", "--seconds", "inf"], "--seconds"),
    "NaN seconds": (["rollout", "arm2dof6musc", "--seconds", "nan"], "--seconds"),
    "negative seed": (["rollout", "arm2dof6musc", "--seed", "-1"], "--seed"),
    "odd dtype": (["rollout", "arm2dof6musc", "--dtype", "float16"], "--dtype"),
    "odd controls": (["rollout", "arm2dof6musc", "--controls", "loud"], "constant:X"),
    "strong controls": (["rollout", "arm2dof6musc", "--controls", "constant:2"], "constant:X"),
    "NaN controls": (["rollout", "arm2dof6musc", "--controls", "constant:nan"], "constant:X"),
    "odd suffix": (["rollout", "arm2dof6musc", "--out", "run.csv"], ".npz nor in .sto"),
    "no such folder": (["rollout", "arm2dof6musc", "--out", "no/run.npz"], "cannot write"),
    "more than memory": (["rollout", "arm2dof6musc", "--batch", "9" * 12], "--batch"),
}


@pytest.mark.parametrize("name", BAD_COMMAND_LINES)
def test_bad_input_gets_one_line(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    arguments, words = BAD_COMMAND_LINES[name]
    status, _, error = run(*arguments)
    assert status in (1, 2)
    assert error.startswith("jaxosim: ") and error.count("\n") == 1
    assert words in error
    assert list(tmp_path.iterdir()) == []


BAD_FILES = {
    "empty": ("", "empty"),
    "no XML": ("hello", "XML"),
    "other XML": ("<html></html>", "OpenSimDocument"),
    "broken number": (PENDULUM.replace("<mass>1.5<", "<mass>heavy<"), "mass"),
    "reference to nothing": (PENDULUM.replace("/bodyset/rod<", "/bodyset/rid<"), "rid"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_get_one_line(run, tmp_path, name):
    text, words = BAD_FILES[name]
    path = tmp_path / "bad.osim"
    path.write_text(text, encoding="utf-8")
    status, _, error = run("rollout", path, "--batch", 1)
    assert status == 1
    assert error.startswith("jaxosim: ") and error.count("\n") == 1
    assert "bad.osim" in error and words in error


def test_unsupported_parts_get_one_line(run, tmp_path):
    muscles = "".join(f'<Millard2012AccelerationMuscle name="m{k}" />' for k in range(2))
    path = tmp_path / "other.osim"
    text = PENDULUM.replace("<CoordinateActuator", f"{muscles}<CoordinateActuator")
    path.write_text(text, encoding="utf-8")
    status, _, error = run("info", path)
    assert status == 1 and error.count("\n") == 1
    assert "'m0'" in error and "'m1'" in error


def test_the_cache_is_shown_and_cleared(run, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXOSIM_CACHE_DIR", str(tmp_path))
    kernel = tmp_path / "kernels" / ("0" * 32)
    kernel.parent.mkdir()
    kernel.write_bytes(bytes(2_500_000))
    status, out, _ = run("info", "--cache")
    assert status == 0 and tmp_path.name in out.replace("\n", "")
    assert [line.split() for line in out.splitlines() if "kernels" in line][-1] == [
        *["kernels", "1", "2.5"]
    ]
    status, out, _ = run("info", "--cache", "--clear")
    assert status == 0 and "2.5" not in out and not kernel.exists()


@pytest.mark.thorough
def test_no_cache_keeps_nothing(pendulum, tmp_path):
    command = [sys.executable, "-m", "jaxosim.cli", "--no-cache", "rollout", pendulum, *SHORT]
    environment = {**os.environ, "JAXOSIM_CACHE_DIR": str(tmp_path / "kept")}
    subprocess.run([str(word) for word in command], check=True, env=environment, cwd=ROOT)
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    "words",
    [
        "info nope",
        pytest.param("rollout nope --batch 0", marks=pytest.mark.thorough),
        pytest.param("nope", marks=pytest.mark.thorough),
    ],
)
def test_no_traceback_in_a_real_process(words):
    result = run_process(*words.split())
    assert result.returncode in (1, 2)
    assert result.stdout == ""
    assert result.stderr.startswith("jaxosim: ") and result.stderr.count("\n") == 1


@pytest.mark.thorough
def test_float64_in_a_real_process(pendulum, tmp_path):
    out = tmp_path / "run.npz"
    arguments = *SHORT, "--dtype", "float64", "--out", out
    result = run_process("rollout", pendulum, *arguments)
    assert result.returncode == 0, result.stderr
    assert np.load(out)["q"].dtype == np.float64


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_interrupt_is_one_line(pendulum, tmp_path):
    out = tmp_path / "run.npz"
    # A shell lets its background jobs ignore interrupts, and CI may be one.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    code += "from jaxosim.cli.__main__ import main; main()"
    arguments = "rollout", pendulum, "--batch", "1", "--seconds", "5000", "--out", str(out)
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    while not list(tmp_path.glob(".run.*")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.splitlines()[-1] == "jaxosim: interrupted"
    assert "Traceback" not in error
    assert not out.exists() and list(tmp_path.glob(".run.*")) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_reader_that_has_gone_is_no_error_message():
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "jaxosim.cli", "info", "arm2dof6musc"]
    result = subprocess.run(
        command, stdout=write_end, stderr=subprocess.PIPE, timeout=300, cwd=ROOT
    )
    os.close(write_end)
    assert result.stderr == b""


def during(controls, step, seed=0, worlds=4, muscles=3):
    like = jnp.zeros((worlds, muscles))
    return np.asarray(controls.during(jnp.int32(step), jax.random.key(seed), 0.01, like))


def test_random_excitation_is_seeded_and_held():
    random = ControlSignal.parse("random")
    first = during(random, 0)
    assert np.all((first >= 0) & (first <= 1))
    assert len(np.unique(first)) == first.size
    np.testing.assert_array_equal(first, during(random, HELD_STEPS - 1))
    assert np.all(first != during(random, HELD_STEPS))
    assert np.all(first != during(random, 0, seed=1))


def test_constant_excitation():
    assert np.all(during(ControlSignal.parse("constant:0.05"), 3) == 0.05)


def test_sine_excitation_spreads_muscles_and_worlds_over_a_period():
    sine = ControlSignal.parse("sine")
    times = np.arange(100)
    values = np.stack([during(sine, step) for step in times])
    assert values.min() >= 0 and values.max() <= 1
    expected = 0.5 + 0.5 * np.sin(2 * np.pi * (times / 100 + 1 / 3 - 2 / 4))
    np.testing.assert_allclose(values[:, 2, 1], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("seconds", "steps", "chunk"), [(1, 100, 10), (0.37, 37, 1), (0.001, 1, 1), (0.35, 35, 7)]
)
def test_chunks_divide_the_control_steps(seconds, steps, chunk):
    job = Job(1, seconds, ControlSignal("random"))
    assert (job.step_count, job.chunk) == (steps, chunk)


@pytest.mark.parametrize(
    "arguments, advice",
    [
        (["rollout", "m"], ": give a smaller --batch"),
        (["bench"], ": give a smaller --batch"),
        (["info", "m"], ""),
        (["obs", "Arm2DEnv"], ""),
        (["render", "rollout.npz", "--out", "a.png"], ""),
    ],
)
def test_out_of_memory_advises_what_the_command_has(run, monkeypatch, arguments, advice):
    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr(main.commands, "main", exhausted)
    assert run(*arguments) == (1, "", f"jaxosim: out of memory{advice}\n")
