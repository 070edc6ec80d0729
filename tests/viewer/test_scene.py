"""What is seen stands where OpenSim has it, in the right color, and is sized by the model."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.dynamics.instance import realize_instance
from jaxosim.dynamics.joints import realize_joints
from jaxosim.dynamics.kinematics import realize_pose
from jaxosim.fused import fused
from jaxosim.models.catalog import resolve
from jaxosim.paths.geometry_path import realize_paths
from jaxosim.viewer.glyphs import activation_colors, arrows, path_points, segments
from jaxosim.viewer.meshes import read_mesh
from jaxosim.viewer.muscle_paths import path_slots
from jaxosim.viewer.scene import build_scene, default_state, placed
from jaxosim.viewer.scene_frame import scene_frames_function
from tests import hopper_model
from tests.paths import wrap_models
from tests.viewer.conftest import SQUARE
from tests.viewer.originals import HOME, PROSTHETIC, needs_originals

POSE_ERROR = 1e-6  # m; OpenSim's own meshes are in single precision
PATH_ERROR = 1e-12  # m

MODEL = """<OpenSimDocument Version="40000"><Model name="m">
<Ground name="ground"><attached_geometry><Brick name="floor">
<half_lengths>2 0.1 3</half_lengths></Brick></attached_geometry></Ground>
<BodySet name="bodyset"><objects><Body name="rod"><mass>1.5</mass>
<components><PhysicalOffsetFrame name="f"><attached_geometry><Mesh name="g">
<scale_factors>2 3 4</scale_factors><mesh_file>square.vtp</mesh_file>
<Appearance><color>0.5 0.25 0</color></Appearance></Mesh></attached_geometry>
<socket_parent>..</socket_parent><translation>0.1 0.2 0.3</translation>
<orientation>0.3 -0.4 0.5</orientation></PhysicalOffsetFrame></components>
<mass_center>0 -0.5 0</mass_center><inertia>0.1 0.1 0.1 0 0 0</inertia></Body></objects></BodySet>
<JointSet name="jointset"><objects><PinJoint name="hinge">
<socket_parent_frame>/ground</socket_parent_frame><socket_child_frame>/bodyset/rod</socket_child_frame>
<coordinates><Coordinate name="angle"/></coordinates></PinJoint></objects></JointSet>
</Model></OpenSimDocument>"""


def random_state(model, params, seed):
    rng = np.random.default_rng(seed)
    low, high = np.array(params.coordinates.range).T
    share = rng.uniform(0.1, 0.9, len(low))
    q = np.where(model.locked, params.coordinates.default_value, low + share * (high - low))
    return dataclasses.replace(default_state(params), q=jnp.asarray(q))


def pose_opensim(oracle, model, state):
    """A state of the live model in the pose of ours."""
    theirs = oracle.initSystem()
    coordinates = oracle.getCoordinateSet()
    for name, value in zip(model.coordinate_names, np.asarray(state.q), strict=True):
        coordinate = coordinates.get(name)
        if not coordinate.getLocked(theirs):
            coordinate.setValue(theirs, float(value), False)
    oracle.realizePosition(theirs)
    return theirs


def vector(values):
    return np.array([values.get(axis) for axis in range(3)])


# The prosthetic walker has these muscles and bodies, but for those that it lacks.
THOROUGH = {"gait14dof22musc": pytest.mark.thorough}


@pytest.mark.opensim
@pytest.mark.parametrize(
    "name",
    [
        # The planar walkers have the muscles of the others.
        pytest.param(name, marks=[pytest.mark.slow] if "planar" in name else THOROUGH.get(name, []))
        for name in jaxosim.bundled_models()
        if name != "arm26"  # drawn along surfaces, which OpenSim's points are the ends of
    ],
)
def test_muscles_run_through_opensims_current_points(name, opensim):
    """Conditional and moving points too, in ten poses."""
    model, params = jaxosim.load_model(name)
    scene = build_scene(model, params)
    oracle = opensim.Model(str(resolve(name)))
    for seed in range(10):
        state = random_state(model, params, seed)
        theirs = pose_opensim(oracle, model, state)
        path = scene.frame(state).path
        for index, muscle in enumerate(model.muscle_names):
            current = oracle.getMuscles().get(muscle).getGeometryPath().getCurrentPath(theirs)
            points = [
                vector(current.get(i).getLocationInGround(theirs)) for i in range(current.getSize())
            ]
            ours = path[index]
            steps = np.linalg.norm(np.diff(ours, axis=0), axis=1)
            distinct = ours[np.concatenate([[True], steps > 0])]
            np.testing.assert_allclose(distinct, points, atol=PATH_ERROR, err_msg=muscle)


@pytest.mark.opensim
@needs_originals
@pytest.mark.parametrize(
    "file",
    [
        PROSTHETIC.name,
        pytest.param("gait9dof18musc.osim", marks=pytest.mark.slow),
        pytest.param("arm2dof6musc.osim", marks=pytest.mark.slow),
    ],
)
def test_mesh_points_stand_where_opensim_has_them(file, opensim):
    """Every vertex of every mesh, by OpenSim's own transforms and scale factors."""
    model, params = jaxosim.load_model(HOME / file)
    scene = build_scene(model, params)
    state = random_state(model, params, 3)
    pose = scene.frame(state)
    oracle = opensim.Model(str(HOME / file))
    theirs = pose_opensim(oracle, model, state)
    ours = {}
    for shape in scene.shapes:
        if shape.name.endswith(".vtp"):
            ours.setdefault(shape.name, []).append(placed(shape, pose))
    count = 0
    for component in oracle.getComponentsList():
        mesh = opensim.Mesh.safeDownCast(component)
        if mesh is None or mesh.get_mesh_file() not in ours:
            continue
        transform = mesh.getFrame().getTransformInGround(theirs)
        matrix = np.array([[transform.R().get(i, j) for j in range(3)] for i in range(3)])
        vertices = read_mesh(HOME / "Geometry" / mesh.get_mesh_file()).vertices
        expected = vertices * vector(mesh.get_scale_factors()) @ matrix.T + vector(transform.p())
        errors = [np.abs(found - expected).max() for found in ours[mesh.get_mesh_file()]]
        assert min(errors) < POSE_ERROR, mesh.get_mesh_file()
        count += 1
    assert count == sum(map(len, ours.values())) > 5


def test_attached_solids_and_meshes_are_read(tmp_path):
    (tmp_path / "m.osim").write_text(MODEL)
    (tmp_path / "Geometry").mkdir()
    (tmp_path / "Geometry" / "square.vtp").write_text(SQUARE)
    model, params = jaxosim.load_model(tmp_path / "m.osim")
    scene = build_scene(model, params)
    shapes = {shape.name: shape for shape in scene.shapes}
    assert set(shapes) == {"Brick", "square.vtp"}
    assert np.ptp(shapes["Brick"].mesh.vertices, axis=0) == pytest.approx([4, 0.2, 6])
    corner = shapes["square.vtp"].mesh.vertices
    assert corner[0] == pytest.approx([0.1, 0.2, 0.3])
    assert np.linalg.norm(corner[[1, 3, 4]] - corner[0], axis=1) == pytest.approx([2, 3, 4])
    assert shapes["square.vtp"].color == (0.5, 0.25, 0)


WRAPS = """<WrapObjectSet name="w"><objects>
<WrapCylinder name="tube"><radius>0.1</radius><length>0.6</length><translation>1 2 3</translation>
<xyz_body_rotation>0 1.5707963267948966 0</xyz_body_rotation></WrapCylinder>
<WrapSphere name="ball"><radius>0.2</radius></WrapSphere>
<WrapEllipsoid name="egg"><dimensions>0.1 0.2 0.3</dimensions></WrapEllipsoid>
<WrapTorus name="ring"><inner_radius>0.1</inner_radius><outer_radius>0.3</outer_radius></WrapTorus>
<WrapSphere name="idle"><active>false</active></WrapSphere>
<WrapSphere name="hidden"><Appearance><visible>false</visible></Appearance></WrapSphere>
</objects></WrapObjectSet>"""


def test_wrap_objects_are_drawn_beside_the_bone(tmp_path):
    (tmp_path / "m.osim").write_text(MODEL.replace("<mass>", WRAPS + "<mass>"))
    model, params = jaxosim.load_model(tmp_path / "m.osim")
    shapes = build_scene(model, params).shapes
    wraps = {shape.name: shape for shape in shapes if shape.role == "wrap"}
    assert set(wraps) == {"wrap/tube", "wrap/ball", "wrap/egg", "wrap/ring"}
    tube = wraps["wrap/tube"].mesh.vertices  # along z in its own frame, along x in the body's
    assert tube.max(axis=0) + tube.min(axis=0) == pytest.approx([2, 4, 6])
    assert np.ptp(tube, axis=0) == pytest.approx([0.6, 0.2, 0.2], rel=0.03)
    egg = np.ptp(wraps["wrap/egg"].mesh.vertices, axis=0)
    assert egg == pytest.approx([0.2, 0.4, 0.6], rel=0.05)
    ring = np.ptp(wraps["wrap/ring"].mesh.vertices, axis=0)
    assert ring == pytest.approx([0.8, 0.8, 0.2], rel=0.05)
    assert wraps["wrap/ball"].opacity == 0.5
    assert any(shape.role == "bone" and shape.body == 0 for shape in shapes)


def test_without_meshes_a_body_is_sized_by_its_mass_properties(tmp_path):
    (tmp_path / "m.osim").write_text(MODEL.replace("square.vtp", "../m.osim"))
    model, params = jaxosim.load_model(tmp_path / "m.osim")
    rod = next(s for s in build_scene(model, params).shapes if s.body == 0)
    assert rod.mesh.vertices[:8].mean(axis=0) == pytest.approx([0, -0.5, 0])
    assert np.ptp(rod.mesh.vertices[:8], axis=0) == pytest.approx(2 * np.sqrt([0.1] * 3))


@pytest.mark.parametrize(
    "name",
    [
        # The planar walkers have the bodies of the others.
        pytest.param(name, marks=pytest.mark.thorough if "planar" in name else [])
        for name in jaxosim.bundled_models()
    ],
)
def test_every_heavy_body_is_drawn_and_has_a_human_size(name):
    model, params = jaxosim.load_model(name)
    scene = build_scene(model, params)
    drawn = {shape.body for shape in scene.shapes if shape.role == "bone"}
    heavy = set(np.flatnonzero(np.asarray(params.bodies.mass) > 0.05))
    assert {model.body_names[i] for i in heavy - drawn} <= {"head"}  # part of the torso's
    assert 0.5 < scene.size < 1.9
    for shape in scene.shapes:
        assert np.all(np.isfinite(shape.mesh.vertices))
        assert shape.mesh.faces.min() >= 0
        assert shape.mesh.faces.max() < len(shape.mesh.vertices)
    assert sum(len(shape.mesh.vertices) for shape in scene.shapes) < 40_000
    if "pros" in name:
        colors = {shape.color for shape in scene.shapes if "pros" in shape.name}
        assert len(colors) >= 4  # socket, metal, carbon, contact: not bone


def test_colors_go_from_blue_to_red():
    colors = activation_colors(np.array([0, 0.5, 1, 2, np.nan]))
    np.testing.assert_allclose(colors, [[0, 0, 1], [0.5, 0, 0.5], [1, 0, 0], [1, 0, 0], [0, 0, 1]])


def path_lengths(model, params, q):
    def lengths(q):
        instance = realize_instance(model, params)
        pose = realize_pose(model, instance, realize_joints(model, params, q))
        return realize_paths(model, params, instance, pose, q).length

    return jax.jit(fused(lengths))(q)


def test_segments_join_the_points_of_the_path():
    model, params = jaxosim.load_model("gait14dof22musc_pros")
    scene = build_scene(model, params)
    state = default_state(params)
    frame = scene.frame(state)
    glyphs = segments(scene, frame)
    ends = glyphs.position + 0.5 * glyphs.rotation[:, :, 2] * glyphs.scale[:, 2:]
    np.testing.assert_allclose(ends, frame.path[:, 1:].reshape(-1, 3), atol=1e-6)
    identity = np.einsum("rji,rjk->rik", glyphs.rotation, glyphs.rotation)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-9)
    lengths = glyphs.scale[:, 2].reshape(len(model.muscle_names), -1).sum(axis=1)
    np.testing.assert_allclose(lengths, path_lengths(model, params, state.q), atol=1e-6)
    assert len(path_points(scene, frame)[0]) == path_slots(model).size


def test_muscles_that_wrap_follow_the_surface():
    """What is drawn is as long as the path, but for the corners that are cut."""
    model, params = hopper_model.load(wrap_models.alone("WrapCylinder", "WrapSphere"))
    state = dataclasses.replace(default_state(params), q=jnp.array([0.0, 0.0, -0.3, 0.0, 0.0]))
    points = np.asarray(build_scene(model, params).frame(state).path, float)
    drawn = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(axis=1)
    straight = np.linalg.norm(points[:, -1] - points[:, 0], axis=1)
    lengths = np.asarray(path_lengths(model, params, state.q))
    # With a quadrant, OpenSim's length on a surface may be negative, or of more than a turn.
    free = [m.endswith("_0") for m in model.muscle_names]
    assert (lengths - straight)[free].min() > 1e-4
    np.testing.assert_allclose(drawn[free], lengths[free], rtol=0.01)


def test_arrows_show_the_ground_carrying_the_model():
    model, params = jaxosim.load_model("gait14dof22musc_pros")
    scene = build_scene(model, params)
    state = default_state(params)
    q = np.array(state.q)
    q[model.coordinate_names.index("pelvis_ty")] -= 0.02
    frame = scene.frame(dataclasses.replace(state, q=q))
    forces = np.asarray(frame.contact_force)
    assert forces[:, 1].max() > 100
    glyphs = arrows(scene, frame, np.array([1.0, 0, 0]))
    strongest = int(np.argmax(forces[:, 1]))
    assert glyphs.rotation[strongest, 1, 2] > 0.9
    assert glyphs.scale[strongest, 2] == pytest.approx(0.0006 * np.linalg.norm(forces[strongest]))
    assert glyphs.rotation[-1, :, 2] == pytest.approx([1, 0, 0])
    assert arrows(scene, frame).scale[-1, 2] == 0


def test_instants_of_a_batch_are_those_of_its_worlds():
    model, params = jaxosim.load_model("arm2dof6musc")
    states = [random_state(model, params, seed) for seed in range(3)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
    batch = scene_frames_function(model)(params, stacked)
    scene = build_scene(model, params)
    np.testing.assert_allclose(batch.path[1], scene.frame(states[1]).path, atol=1e-9)
