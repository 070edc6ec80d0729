"""`load_model`: what is kept between calls, and what is not."""

import os

import jax
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError
from jaxosim.models import load
from tests.models.osim_text import body, document, joint, members, model

STAMP = (1_700_000_000, 1_700_000_000)


def write(path, mass):
    """A file of one body, of a time stamp that says nothing."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(model(bodies=body("a", mass, mass_center="0 -0.1 0")))
    os.utime(path, STAMP)


def mass_of(path):
    return float(jaxosim.load_model(path)[1].bodies.mass[0])


def test_a_relative_path_means_the_folder_of_now(tmp_path, monkeypatch):
    seen = []
    for name, mass in (("first", "2"), ("second", "7")):
        write(tmp_path / name / "scaled.osim", mass)
    for name in ("first", "second", "first"):
        monkeypatch.chdir(tmp_path / name)
        seen.append(mass_of("scaled.osim"))
    assert seen == [2.0, 7.0, 2.0]


WELDED = members("BodySet", body("a")) + members(
    "JointSet", joint("WeldJoint", "j", "/ground", "/bodyset/a")
)


@pytest.mark.parametrize("inside", ["", WELDED], ids=["ground alone", "a welded body"])
def test_a_model_in_which_nothing_moves_loads(tmp_path, inside):
    path = tmp_path / "still.osim"
    path.write_text(document(inside))
    structure, _ = jaxosim.load_model(path)
    assert structure.coordinate_names == () and len(structure.tree.body) == 0


def test_a_file_overwritten_under_one_time_stamp_is_read_anew(tmp_path):
    path = tmp_path / "same.osim"
    write(path, "3")
    assert mass_of(path) == 3.0
    write(path, "9")
    assert mass_of(path) == 9.0


def test_the_same_file_gives_the_same_model(tmp_path, monkeypatch):
    path = tmp_path / "a.osim"
    write(path, "3")
    first, _ = jaxosim.load_model(path)
    os.utime(path)  # touched, not changed
    monkeypatch.chdir(tmp_path)
    assert jaxosim.load_model("a.osim")[0] is first
    assert jaxosim.load_model(str(path))[0] is first


def test_a_model_knows_its_file_wherever_the_process_goes(tmp_path, monkeypatch):
    write(tmp_path / "home" / "a.osim", "3")
    monkeypatch.chdir(tmp_path / "home")
    structure, _ = jaxosim.load_model("a.osim")
    monkeypatch.chdir(tmp_path)
    assert structure.source == str(tmp_path / "home" / "a.osim")


def test_models_long_unused_are_forgotten(tmp_path):
    path = tmp_path / "a.osim"
    for mass in range(1, load._KEPT + 3):
        write(path, str(mass))
        mass_of(path)
    assert len(load._compiled) == load._KEPT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (model(bodies=body("a", "1e39")), "bodies.mass of 'a'"),
        (model(bodies=body("a", inertia="1 1e39 1 0 0 0")), "bodies.inertia of 'a'"),
        (model(rest="<gravity>0 -1e39 0</gravity>"), "gravity"),
    ],
)
def test_numbers_beyond_float32_are_refused_in_it_and_named(tmp_path, text, words):
    path = tmp_path / "a.osim"
    path.write_text(text)
    _, params = jaxosim.load_model(path)
    assert all(leaf.dtype == "float64" for leaf in jax.tree.leaves(params))
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(OsimFormatError, match=words) as error:
            jaxosim.load_model(path)
    finally:
        jax.config.update("jax_enable_x64", True)
    assert "a.osim" in str(error.value) and "1e+39" in str(error.value)
