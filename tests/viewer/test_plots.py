"""Plots: every quantity in its panel, motions over each other, drift against a reference."""

import numpy as np
import pytest

from jaxosim.errors import MissingExtraError
from jaxosim.host.optional import require
from jaxosim.viewer.plots import coordinate_series, ground_reaction_series, plot_motions
from tests.full_disk import full_disk


def test_angles_are_in_degrees_and_lengths_in_meters(walker_run):
    series = coordinate_series(walker_run)
    model, q = walker_run.model, walker_run.states.q
    knee, forward = (model.coordinate_names.index(n) for n in ("knee_angle_l", "pelvis_tx"))
    np.testing.assert_allclose(series["knee_angle_l"], np.rad2deg(q[..., knee]))
    np.testing.assert_array_equal(series["pelvis_tx"], q[..., forward])
    assert not any(model.locked[model.coordinate_names.index(name)] for name in series)


def test_ground_reactions_push_up_on_each_side(walker_run):
    series = ground_reaction_series(walker_run)
    assert set(series) == {f"{side} {axis}" for side in ("right", "left") for axis in "xyz"}
    assert series["right y"].shape == (51, 2)
    assert series["left y"].min() >= 0 and series["left y"].max() > 1


@pytest.mark.parametrize("suffix", [".png", pytest.param(".svg", marks=pytest.mark.thorough)])
def test_a_full_disk_leaves_the_old_plot(walker_run, tmp_path, suffix):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plot`)")
    path = plot_motions([walker_run], tmp_path / f"plot{suffix}", ["angles"])
    old = path.read_bytes()
    with full_disk(), pytest.raises(OSError, match=f"cannot write {path}: "):
        plot_motions([walker_run], path, ["angles"])
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix, start", [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_runs_are_drawn_over_each_other(walker_run, tmp_path, suffix, start):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `plot`)")
    out = plot_motions([walker_run, walker_run], tmp_path / f"plot{suffix}", ["angles", "forces"])
    assert out.read_bytes().startswith(start)
    assert out.stat().st_size > 20_000
    if suffix == ".svg":
        assert out.read_text().count("<path") > 100


def test_drift_against_itself_is_zero(walker_run, tmp_path, monkeypatch):
    axes = pytest.importorskip("matplotlib.axes", reason="matplotlib is not installed")
    drawn = []
    monkeypatch.setattr(axes.Axes, "plot", lambda self, t, values, **_: drawn.append(values))
    plot_motions([walker_run], tmp_path / "a.svg", ["angles"], walker_run)
    assert len(drawn) > 10
    np.testing.assert_allclose(drawn[0], 0, atol=1e-12)  # world 0 against itself


def test_a_missing_library_is_one_line_that_says_what_to_install():
    with pytest.raises(MissingExtraError) as caught:
        require("no_such_library.part", "plot")
    assert "pip install 'jaxosim[plot]'" in str(caught.value)
    assert "\n" not in str(caught.value)
