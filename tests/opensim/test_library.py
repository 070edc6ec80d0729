"""What OpenSim keeps from file to file is dropped."""

import pytest

from tests import hopper_model
from tests.models import osim_text as osim

pytestmark = pytest.mark.opensim


def muscle(strain=None):
    """A model with one muscle, with `<defaults>` for its class, or without; OpenSim's strain."""
    default = osim.element("Thelen2003Muscle", "default", FmaxTendonStrain=strain)
    rest = "" if strain is None else f"<defaults>{default}</defaults>"
    return hopper_model.path_of(osim.model(osim.muscle(), rest=rest))


def strain_of(opensim, model):
    return opensim.Thelen2003Muscle.safeDownCast(model.getMuscles().get(0)).get_FmaxTendonStrain()


def test_defaults_of_one_file_are_not_those_of_the_next(opensim):
    from jaxosim.opensim.library import restore_defaults
    from jaxosim.opensim.model import OpenSimModel

    usual = strain_of(opensim, opensim.Model(str(muscle())))
    assert strain_of(opensim, opensim.Model(str(muscle(strain=0.09)))) == 0.09
    assert strain_of(opensim, opensim.Model(str(muscle()))) == 0.09  # what has to be undone
    restore_defaults()
    assert strain_of(opensim, opensim.Model(str(muscle()))) == usual
    assert strain_of(opensim, OpenSimModel(muscle(strain=0.09)).model) == 0.09
    assert strain_of(opensim, OpenSimModel(muscle()).model) == usual


def test_defaults_of_a_refused_file_are_dropped_too(opensim, tmp_path):
    from jaxosim.opensim.model import OpenSimModel

    usual = strain_of(opensim, opensim.Model(str(muscle())))
    refused = tmp_path / "refused.osim"  # already by the constructor
    text = muscle(strain=0.09).read_text(encoding="utf-8")
    refused.write_text(text.replace("<mass>1<", "<mass>-1<"), encoding="utf-8")
    with pytest.raises(RuntimeError):
        OpenSimModel(refused)
    assert strain_of(opensim, OpenSimModel(muscle()).model) == usual
