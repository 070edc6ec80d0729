"""The bundled files say what their originals say, and move as they move."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from jaxosim.models.catalog import bundled_models, resolve
from jaxosim.models.osim.reader import read_model

ORIGINALS = {
    "arm26": "opensim-models/arm26",
    "arm2dof6musc": "osim-rl/arm2dof6musc",
    "gait10dof18musc": "opensim-models/gait10dof18musc",
    "gait14dof22musc": "osim-rl/gait14dof22musc_20170320",
    "gait14dof22musc_planar": "osim-rl/gait14dof22musc_planar_20170320",
    "gait14dof22musc_planar_pros": "osim-rl/gait14dof22musc_planar_pros_20180507",
    "gait14dof22musc_pros": "osim-rl/gait14dof22musc_pros_20180507",
    "gait9dof18musc": "osim-rl/gait9dof18musc",
}
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "models"
# Models whose muscles are of another class than the original's, and what those share with them.
OTHER_MUSCLES = ("arm26",)
SHARED_PROPERTIES = (
    "name",
    "path",
    "applies_force",
    "max_isometric_force",
    "optimal_fiber_length",
    "tendon_slack_length",
    "pennation_angle_at_optimal",
    "max_contraction_velocity",
    "activation_time_constant",
    "deactivation_time_constant",
)
STATE_COUNT = 8
# Both files give the same numbers, but OpenSim sums forces along another list of frames.
TOLERANCE = 1e-9

each_model = pytest.mark.parametrize("name", sorted(ORIGINALS))
needs_originals = pytest.mark.skipif(not SHARED.is_dir(), reason="the originals are not at hand")


def test_every_bundled_model_has_an_original():
    assert bundled_models() == tuple(sorted(ORIGINALS))


@each_model
def test_everything_in_it_is_supported(name):
    spec = read_model(resolve(name))
    assert spec.unsupported == ()
    assert spec.name == name
    assert spec.version == 40600


@each_model
def test_it_credits_its_authors(name):
    text = resolve(name).read_text(encoding="utf-8")
    credits = text.split("<credits>")[1].split("</credits>")[0]
    assert "creativecommons.org/licenses/by/3.0" in credits
    assert "rewritten for jaxosim" in " ".join(credits.split())


@needs_originals
@each_model
def test_it_says_what_the_original_says(name):
    ours = read_model(resolve(name))
    original = read_model(SHARED / f"{ORIGINALS[name]}.osim")
    if name in OTHER_MUSCLES:
        for muscle, before in zip(ours.forces, original.forces, strict=True):
            for key in SHARED_PROPERTIES:
                assert getattr(muscle, key) == getattr(before, key), key
            strains = muscle.tendon_force_length, muscle.fiber_force_length
            tendon, fiber = (curve.strain_at_one_norm_force for curve in strains)
            assert (tendon, fiber) == (before.fmax_tendon_strain, before.fmax_muscle_strain)
        ours, original = (dataclasses.replace(spec, forces=()) for spec in (ours, original))
    assert said(ours) == said(original)


def said(spec):
    """A spec without what names the file, and without the places of its elements."""
    return dataclasses.replace(
        spec,
        name="",
        source="",
        version=0,
        joint_paths=tuple(path.path for path in spec.joint_paths),
        force_paths={name: path.path for name, path in spec.force_paths.items()},
    )


@pytest.mark.opensim
@needs_originals
@pytest.mark.parametrize("name", sorted(set(ORIGINALS) - set(OTHER_MUSCLES)))
def test_it_accelerates_as_the_original_does(name, opensim):
    random = np.random.default_rng(14)
    models = [
        opensim.Model(str(path)) for path in (resolve(name), SHARED / f"{ORIGINALS[name]}.osim")
    ]
    states = [model.initSystem() for model in models]
    count = states[0].getNQ()
    low, high = ranges(models[0], count)
    assert states[1].getNQ() == count
    for _ in range(STATE_COUNT):
        q, u = random.uniform(low, high), random.uniform(-1, 1, count)
        activation, fiber = random.uniform(0.05, 1, 99), random.uniform(0.7, 1.2, 99)
        ours, theirs = (
            accelerations(opensim, model, state, q, u, activation, fiber)
            for model, state in zip(models, states, strict=True)
        )
        assert np.isfinite(ours).all()
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE * scale)


def ranges(model, count):
    """A hand's breadth around the default pose, limits and contacts included."""
    coordinates = [model.getCoordinateSet().get(i) for i in range(count)]
    default = np.array([c.getDefaultValue() for c in coordinates])
    return default - 0.3, default + 0.3


def accelerations(opensim, model, state, q, u, activation, fiber):
    """All u̇, by coordinate name, with muscles set to the given activations and fiber lengths."""
    coordinates = [model.getCoordinateSet().get(i) for i in range(len(q))]
    for i, coordinate in enumerate(coordinates):
        if not coordinate.getLocked(state):
            coordinate.setValue(state, float(q[i]), False)
            coordinate.setSpeedValue(state, float(u[i]))
    muscles = model.getMuscles()
    for i in range(muscles.getSize()):
        muscle = muscles.get(i)
        length = muscle.getOptimalFiberLength() * float(fiber[i])
        muscle.setActivation(state, float(activation[i]))
        concrete = getattr(opensim, muscle.getConcreteClassName())
        concrete.safeDownCast(muscle).setFiberLength(state, length)
    model.realizeAcceleration(state)
    return np.array([c.getAccelerationValue(state) for c in coordinates])
