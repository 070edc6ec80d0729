"""Jumps of path lengths: what counts as one, and those of a point that comes and goes."""

import numpy as np
import pytest
from jumps import jumps, lengths_along

from tests.models import osim_text as osim


def test_a_jump_is_more_than_a_millimeter_and_ten_times_the_usual_change():
    smooth = np.linspace(0, 1, 11)
    jumping = np.where(smooth > 0.55, 1e-4 * smooth + 2e-3, 1e-4 * smooth)
    small = np.where(smooth > 0.55, 5e-4, 0.0)
    found = jumps(np.stack([smooth, jumping, small], axis=-1)[None])
    np.testing.assert_allclose(found, [[0, 2.01e-3, 0]], atol=1e-12)


@pytest.mark.thorough
def test_a_conditional_point_makes_the_length_jump_where_it_comes(tmp_path):
    points = "".join(
        (
            osim.point("p1", location="0 1 0"),
            osim.point(
                "p2",
                location="0.5 0.5 0",
                kind="ConditionalPathPoint",
                range="0 1",
                socket_coordinate="/jointset/j/q",
            ),
            osim.point("p3", "/bodyset/a", location="0 0.1 0"),
        )
    )
    path = tmp_path / "conditional.osim"
    path.write_text(osim.model(osim.muscle(points=points)))
    names, lengths = lengths_along(str(path), lines=200, points=20)
    found = jumps(lengths)
    assert names == ("m1",) and lengths.shape == (200, 20, 1)
    assert 0 < (found > 0).sum() < 50 and found.max() > 0.1
