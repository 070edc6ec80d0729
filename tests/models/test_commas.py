"""Commas between numbers: read where OpenSim reads them, with one warning, else refused."""

import warnings

import pytest

from jaxosim.errors import OsimFormatError, OsimFormatWarning
from jaxosim.models.osim.reader import parse_model
from tests.models.live import assert_same_bodies, assert_same_joints
from tests.models.osim_text import axis, body, coordinates, custom, document, element, members

AXES = {"rotation2": "1, 0, 0", "rotation3": "0 1, 0", "translation2": "0 1 0"}


def model(separator, mass="2"):
    """A body on a CustomJoint whose numbers stand apart by this."""

    def numbers(*values):
        return separator.join(map(str, values))

    first = element("LinearFunction", "function", coefficients=numbers(0.5, 0.25))
    second = element(
        "SimmSpline", "function", x=numbers(-1, 0.5, 3, 4), y=numbers(0.2, 0.1, 0.4, 0.3)
    )
    transform = axis("rotation1", "q", numbers(0, 0, 1), first)
    transform += axis("translation1", "q", numbers(1, 0, 0), second)
    transform += "".join(axis(name, "", direction) for name, direction in AXES.items())
    transform += axis("translation3", "", "0 0 1")
    inside = coordinates("q", range=numbers(-1.5, 1.25))
    a = body("a", mass, mass_center=numbers(0.1, 0.2, 0.3), inertia=numbers(1, 1, 1, 0.1, 0.2, 0.3))
    gravity = f"<gravity>{numbers(1, -9, 2)}</gravity>"
    return document(
        gravity + members("BodySet", a) + members("JointSet", custom(transform, inside))
    )


def test_a_comma_and_a_blank_part_numbers_as_a_blank_does():
    with pytest.warns(OsimFormatWarning) as caught:
        spec = parse_model(model(", ").encode(), "a.osim")
    assert len(caught) == 1
    assert "a.osim: line 1: Model[m]/" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the axes, which have commas in both
        plain = parse_model(model(" ").encode(), "a.osim")
    assert spec == plain


@pytest.mark.opensim
def test_opensim_reads_the_same_numbers(tmp_path, opensim):
    path = tmp_path / "commas.osim"
    path.write_text(model(", ", mass="2,"))
    live = opensim.Model(str(path))
    live.initSystem()
    with pytest.warns(OsimFormatWarning, match="commas.osim: line 1"):
        spec = parse_model(path.read_bytes(), str(path))
    assert_same_bodies(spec, live)
    assert_same_joints(spec, live)
    assert spec.gravity == (1, -9, 2)
    assert [live.get_gravity().get(i) for i in range(3)] == [1, -9, 2]


@pytest.mark.parametrize("separator", [",", " , ", " ,", ",, ", "; "])
def test_other_commas_are_refused_where_opensim_would_take_other_numbers(separator):
    with pytest.raises(OsimFormatError, match="a.osim: line 1: .*expected a number"):
        parse_model(model(separator).encode(), "a.osim")


def test_a_decimal_comma_is_refused():
    with pytest.raises(OsimFormatError, match="mass: expected a number, found '0,75'"):
        parse_model(model(" ", mass="0,75").encode(), "a.osim")


def test_a_warning_counts_the_lines():
    text = model(", ").replace("><", ">\n<")
    with pytest.warns(OsimFormatWarning, match=r"line \d+: .* and on \d+ more lines"):
        parse_model(text.encode(), "a.osim")


def test_commas_in_other_texts_are_nobodys_business():
    text = model(" ").replace("1, 0, 0", "1 0 0").replace("0 1, 0", "0 1 0")
    text = text.replace("<gravity>", "<credits>Delp, S. L., 1, 2</credits><gravity>")
    with warnings.catch_warnings():
        warnings.simplefilter("error", OsimFormatWarning)
        parse_model(text.encode(), "a.osim")
