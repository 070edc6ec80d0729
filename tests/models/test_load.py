"""`load_model`: what is kept between calls, and what is not."""

import os

import jaxosim
from jaxosim import models
from tests.models.osim_text import body, model

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
    for mass in range(1, models._KEPT + 3):
        write(path, str(mass))
        mass_of(path)
    assert len(models._compiled) == models._KEPT
