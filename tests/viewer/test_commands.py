"""`jaxosim view`, `render`, `plot`: files written, and one clear line for what goes wrong."""

import numpy as np
import pytest

from jaxosim import sto
from jaxosim.cli import main


def run(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main.main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    return caught.value.code, output.out, output.err


def test_plot_writes_a_picture(run_file, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plot`)")
    out = tmp_path / "plot.png"
    status, text, _ = run(["plot", run_file, "--what", "angles", "--out", out], capsys)
    assert (status, text) == (0, f"wrote {out}\n")
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("renderer")
def test_render_draws_a_model_in_its_default_pose(tmp_path, capsys):
    out = tmp_path / "arm.png"
    status, _, _ = run(["render", "arm2dof6musc", "--size", "64x64", "--out", out], capsys)
    assert status == 0
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "arguments, status, complaint",
    [
        (["plot", "missing.npz", "--out", "a.png"], 1, "no file 'missing.npz'"),
        (["plot", "MOTION", "--out", "a.pdf"], 2, "does not end in .png or .svg"),
        (["plot", "MOTION"], 2, "--out"),
        (["plot", "MOTION", "--reference", "no.sto", "--out", "a.png"], 1, "no file 'no.sto'"),
        (["render", "MOTION", "--out", "a.avi"], 2, "does not end in .mp4"),
        (["render", "MOTION", "--out", "a.png", "--size", "0x9"], 2, "'0x9' is no width x height"),
        (["render", "MOTION", "--out", "a.png", "--grid", "4"], 2, "'4' is no rows x columns"),
        (["render", "MOTION", "--out", "a.png", "--world", "7"], 1, "world from 0 to 1, got 7"),
        (["render", "MOTION", "--out", "no/folder/a.png"], 1, "cannot write"),
        (["render", "no_model", "--out", "a.png"], 1, "no bundled model and no file"),
        (["render", "MOTION", "--out", "a.gif", "--fps", "nan"], 2, "'--fps': nan is not a finite"),
        (
            ["render", "MOTION", "--out", "a.gif", "--speed", "nan"],
            2,
            "'--speed': nan is not",
        ),
        (
            ["render", "MOTION", "--out", "a.png", "--zoom", "nan"],
            2,
            "'--zoom': nan is not a finite",
        ),
        (["render", "MOTION", "--out", "a.png", "--at", "nan"], 2, "'--at': nan is not a finite"),
        (["render", "MOTION", "--out", "a.png", "--at", "inf"], 2, "'--at': inf is not a finite"),
        (["view", "MOTION", "--html", "a.html", "--fps", "nan"], 2, "'--fps': nan is not a finite"),
        (["view", "MOTION", "--html", "a.txt"], 2, "does not end in .html"),
        (
            ["view", "MOTION", "--model", "gait9dof18musc", "--html", "a.html"],
            1,
            "coordinate_names",
        ),
    ],
)
def test_what_goes_wrong_is_one_line(
    run_file, tmp_path, capsys, monkeypatch, arguments, status, complaint
):
    monkeypatch.chdir(tmp_path)
    words = [str(run_file) if word == "MOTION" else word for word in arguments]
    code, _, error = run(words, capsys)
    assert code == status
    assert complaint in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_doubtful_table_is_told_in_one_line(made_up_run, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plot`)")
    path, out = tmp_path / "motion.sto", tmp_path / "plot.png"
    sto.write_states(path, made_up_run.model, made_up_run.world(0))
    path.write_text(path.read_text().replace("nRows=51", "nRows=50"))
    status, _, error = run(["plot", path, "--what", "angles", "--out", out], capsys)
    assert status == 0
    assert error == f"jaxosim: warning: {path}: line 4: says 50 rows, found 51\n"


@pytest.mark.parametrize(
    "command",
    [["render", "--out", "a.png"], ["render", "--out", "a.gif"], ["view", "--html", "a.html"]],
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_world_that_diverged_is_named(run_file, tmp_path, capsys, monkeypatch, command, value):
    arrays = dict(np.load(run_file))
    arrays["q"][3:, 1, 0] = value
    diverged = tmp_path / "diverged.npz"
    np.savez(diverged, **arrays)
    monkeypatch.chdir(tmp_path)
    status, _, error = run([command[0], diverged, "--world", 1, *command[1:]], capsys)
    start = f"{arrays['time'][3]:.6g}"
    expected = f"diverged.npz: world 1 diverged: it is not finite from {start} s on"
    assert (status, error) == (1, f"jaxosim: {expected}\n")
    assert list(tmp_path.iterdir()) == [diverged]


@pytest.mark.parametrize("command", ["plot", "render", "view"])
def test_a_missing_extra_is_one_line(run_file, tmp_path, capsys, monkeypatch, command):
    import sys

    for name in ("matplotlib.figure", "pyvista", "viser"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    out = {"plot": ["--out", "a.png"], "render": ["--out", "a.png"], "view": ["--html", "a.html"]}
    monkeypatch.chdir(tmp_path)
    status, _, error = run([command, run_file, *out[command]], capsys)
    assert status == 1
    assert "pip install 'jaxosim[" in error
    assert error.strip().splitlines()[-1].startswith("jaxosim: this needs")
    assert list(tmp_path.iterdir()) == []
