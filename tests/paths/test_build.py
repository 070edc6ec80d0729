"""Layout of paths: any force may own one, and only segments that can change length are flexible."""

import types

import numpy as np

from jaxosim.models.compile_tree import compile_tree
from jaxosim.models.osim.reader import parse_model
from jaxosim.paths.build import build
from jaxosim.paths.read import ConditionalPathPointSpec, PathPointSpec, PathSpec
from tests.models import osim_text as osim

MODEL = osim.model(
    bodies=osim.body("a", mass_center="0.1 0 0"),
    joints=osim.joint("PinJoint", "j", "/ground", "/bodyset/a", osim.coordinates("q")),
)


def built(*paths):
    """Paths of owners that are no muscles."""
    spec = parse_model(MODEL.encode(), "here.osim")
    bodies, tree, _ = compile_tree(spec)
    owners = [
        types.SimpleNamespace(name=f"spring{i}", path=PathSpec(path))
        for i, path in enumerate(paths)
    ]
    return build(spec, owners, {"q": 0}, [int(m) for m in bodies.mobod], tree)


def test_a_path_belongs_to_any_force():
    ground = PathPointSpec("p", "ground", (0.0, 1.0, 0.0))
    first, second = (PathPointSpec(name, "a", (0.1, 0.0, 0.0)) for name in "de")
    paths, params = built((ground, first, second), (first, ground))
    assert paths.names == ("spring0", "spring1")
    assert paths.point_path.tolist() == [0, 0, 0, 1, 1]
    assert paths.rigid.path.tolist() == [0]  # the segment between two points of one body
    assert paths.flexible.path.tolist() == [0, 1]
    assert paths.arms.path.tolist() == [0, 1]
    assert paths.arms.table.tolist() == [[0], [1]]
    assert np.shape(params.location) == (5, 3)


def test_a_conditional_point_adds_the_segment_that_bypasses_it():
    ends = [
        PathPointSpec(name, body, (0.1, 0.2, 0.0)) for name, body in (("s", "ground"), ("e", "a"))
    ]
    via = ConditionalPathPointSpec("v", "a", (0.0, 0.1, 0.0), "q", (0.0, 1.0))
    paths, params = built((ends[0], via, ends[1]))
    active, inactive = 0, 1  # flags of the one condition
    needed = {
        (int(start), int(end)): flags.tolist()
        for segments in (paths.flexible, paths.rigid)
        for start, end, flags in zip(segments.start, segments.end, segments.needed, strict=True)
    }
    assert needed == {(0, 1): [active], (1, 2): [active], (0, 2): [inactive]}
    assert params.conditional_range.tolist() == [[0.0, 1.0]]
