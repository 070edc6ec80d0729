"""Bundled names and paths."""

from pathlib import Path

import pytest

from jaxosim.models.catalog import bundled_models, resolve


def test_names_are_sorted_and_found():
    names = bundled_models()
    assert "gait14dof22musc_pros" in names
    assert list(names) == sorted(names)
    for name in names:
        assert resolve(name).name == f"{name}.osim"
        assert resolve(name).is_file()


def test_paths_are_taken_as_they_are(tmp_path):
    path = tmp_path / "my.osim"
    path.write_text("")
    assert resolve(path) == resolve(str(path)) == path


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gait14dof22musc_prso", "did you mean gait14dof22musc_pros"),
        ("models/arm2dof6muscle.osim", "did you mean arm2dof6musc"),
        (Path("gait9dof18muscles"), "did you mean gait9dof18musc"),
        ("xyz", "bundled are arm26, arm2dof6musc, "),
        ("", "bundled are"),
        ("a\0b", "bundled are"),
        ("x" * 100_000, "bundled are"),
    ],
)
def test_unknown_names_get_a_hint(name, hint):
    with pytest.raises(FileNotFoundError) as error:
        resolve(name)
    assert hint in str(error.value)
    assert len(str(error.value)) < 500
