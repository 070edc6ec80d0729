"""The sides that names belong to."""

import numpy as np
import pytest

import jaxosim
from jaxosim.envs.sides import counterparts, side_of


@pytest.mark.parametrize(
    "name, side",
    [
        ("hip_flexion_l", "l"),
        ("r_elbow_flex", "r"),
        ("soleus_r/activation", "r"),
        ("joint_pos/hip_l.0", "l"),
        ("pelvis_tilt", None),
        ("lumbar", None),
        ("toes", None),
    ],
)
def test_the_side_of_a_name_is_one_of_its_parts(name, side):
    assert side_of(name) == side


def test_counterparts_are_the_names_with_the_sides_swapped():
    names = ("pelvis", "hip_l", "r_arm/x", "hip_r", "l_arm/x")
    places = counterparts("entries", names)
    assert [names[i] for i in places] == ["pelvis", "hip_r", "l_arm/x", "hip_l", "r_arm/x"]
    np.testing.assert_array_equal(places[places], np.arange(len(names)))


def test_a_name_without_counterpart_is_named():
    with pytest.raises(jaxosim.ModelMismatchError, match="entries: expected .* each of hip_l$"):
        counterparts("entries", ("pelvis", "hip_l"))
