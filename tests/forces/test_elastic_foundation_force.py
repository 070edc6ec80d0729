"""ElasticFoundationForce: beside OpenSim on planes and spheres; files of meshes; refusals."""

import dataclasses
import struct

import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from jaxosim.errors import OsimFormatError, UnsupportedComponentError
from jaxosim.forces.contact_mesh import read_mesh
from jaxosim.outputs import force_records
from tests import hopper_model
from tests.forces import checks
from tests.models import osim_text as osim

POINTS = np.array([[x, y, z] for x in (-0.2, 0.2) for y in (-0.1, 0.1) for z in (-0.1, 0.15)])
# A box whose sides are a quadrangle each, but for one of two triangles.
SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7), (7, 3, 1))
TRIANGLES = [t for s in SIDES for t in ([s] if len(s) == 3 else [s[:3], (s[2], s[3], s[0])])]


def obj(points=POINTS, sides=SIDES):
    """A mesh as a Wavefront file."""
    lines = [f"v {x} {y} {z}" for x, y, z in points]
    return "\n".join(
        [*lines, "vn 0 0 1", *(f"f {' '.join(f'{i + 1}//1' for i in s)}" for s in sides)]
    )


def vtp(ends=None):
    """The same as VTK's polygon data; ends are where the polygons end among all corners."""
    words = [" ".join(map(str, np.ravel(x))) for x in (POINTS, np.concatenate(SIDES))]
    ends = np.cumsum([len(side) for side in SIDES]) if ends is None else ends
    ends = " ".join(map(str, ends))
    return (
        '<VTKFile type="PolyData"><PolyData><Piece NumberOfPoints="8" NumberOfPolys="7"><Points>'
        f'<DataArray NumberOfComponents="3" format="ascii">{words[0]}</DataArray></Points><Polys>'
        f'<DataArray Name="connectivity" format="ascii">{words[1]}</DataArray>'
        f'<DataArray Name="offsets" format="ascii">{ends}</DataArray></Polys></Piece></PolyData>'
        "</VTKFile>"
    )


def stl():
    """The same in ASCII."""
    facets = [
        "facet normal 0 0 1\nouter loop\n"
        + "".join(f"vertex {' '.join(map(str, POINTS[i]))}\n" for i in triangle)
        + "endloop\nendfacet\n"
        for triangle in TRIANGLES
    ]
    return f"# a box\nsolid box\ncolor 1 1 1\n{''.join(facets)}endsolid\nfacet of another\n"


def binary_stl():
    """The same in single precision."""
    facets = [struct.pack("<12fH", 0, 0, 1, *POINTS[list(t)].ravel(), 0) for t in TRIANGLES]
    return struct.pack("<80sI", b"", len(facets)) + b"".join(facets)


def material(geometry, **values):
    """A material of an ElasticFoundationForce."""
    given = {
        "stiffness": "2e5",
        "dissipation": "0.8",
        "static_friction": "0.9",
        "dynamic_friction": "0.6",
        "viscous_friction": "0.2",
        **values,
    }
    inside = "".join(f"<{tag}>{value}</{tag}>" for tag, value in given.items())
    return (
        "<ElasticFoundationForce::ContactParameters>"
        f"<geometry>{geometry}</geometry>{inside}</ElasticFoundationForce::ContactParameters>"
    )


def force(name, *materials, **values):
    """A force among the geometries of the materials."""
    parameters = (
        '<ElasticFoundationForce::ContactParametersSet name="contact_parameters"><objects>'
        f"{''.join(materials)}</objects></ElasticFoundationForce::ContactParametersSet>"
    )
    return osim.element("ElasticFoundationForce", name, parameters, **values)


FLOOR = osim.element(
    "ContactHalfSpace", "floor", socket_frame="/ground", orientation="0.1 0 -1.5707963267949"
)
BALL = osim.element(
    "ContactSphere", "ball", socket_frame="/bodyset/b", location="0.02 0.3 0.01", radius="0.25"
)


def box(filename="box.obj", name="box", body="a"):
    """The mesh on a body."""
    return osim.element(
        "ContactMesh",
        name,
        socket_frame=f"/bodyset/{body}",
        location="0.05 0.02 0.01",
        orientation="0.2 0.1 -0.3",
        filename=filename,
    )


BODIES = {
    "bodies": osim.body("a", "2", mass_center="0.1 0 0", inertia="0.3 0.2 0.4 0 0 0")
    + osim.body("b", "1"),
    "joints": osim.joint("PlanarJoint", "p", "/ground", "/bodyset/a", osim.coordinates(*"xyz"))
    + osim.joint("SliderJoint", "s", "/ground", "/bodyset/b", osim.coordinates("h")),
}
FORCES = (
    force("plane", material("box floor"), transition_velocity="0.3"),
    force("sphere", material("box", dissipation="0.3"), material("ball", stiffness="7")),
)


SHAPES = FLOOR + BALL + box()


def world(*forces, geometry=SHAPES, content=None, name="box.obj"):
    """The path of a model with a mesh beside it."""
    shapes = osim.members("ContactGeometrySet", geometry)
    text = osim.model(*(forces or FORCES), rest=shapes, **BODIES)
    path = hopper_model.path_of(text)
    content = obj() if content is None else content
    (path.parent / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture(scope="module")
def loaded():
    """Model and params of both forces."""
    return jaxosim.load_model(world())


def state_at(model, params, seed):
    """The box on the floor or on the ball, at some speed."""
    rng = np.random.default_rng(seed)
    q = rng.uniform([-0.4, -0.2, -0.05, -0.2], [0.4, 0.2, 0.15, 0.2])
    start = hopper_model.initial(model, params)
    return dataclasses.replace(start, q=jnp.asarray(q), u=jnp.asarray(rng.standard_normal(4)))


# parity


@pytest.mark.opensim
@pytest.mark.parametrize("count", [12, pytest.param(256, marks=pytest.mark.slow)])
def test_forces_on_planes_and_spheres_are_opensims(opensim, loaded, count):
    model, params = loaded
    live = opensim.Model(str(world()))
    at = live.initSystem()
    touched = np.zeros(2, int)
    for seed in range(count):
        state = state_at(model, params, seed)
        coordinates = list(live.getCoordinateSet())
        for coordinate, q, u in zip(coordinates, state.q, state.u, strict=True):
            coordinate.setValue(at, float(q), False)
            coordinate.setSpeedValue(at, float(u))
        live.realizeAcceleration(at)
        expected = [coordinate.getAccelerationValue(at) for coordinate in coordinates]
        info = hopper_model.describe(model, params, state, checks.no_controls())
        scale = np.maximum(1, np.abs(expected))
        found = info.coordinates.acceleration
        np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=1e-9)
        for index, (name, record) in enumerate(force_records(model, info).items()):
            values = live.getForceSet().get(name).getRecordValues(at)
            expected = [values.get(i) for i in range(values.getSize())]
            np.testing.assert_allclose(record, expected, rtol=1e-9, atol=1e-8, err_msg=name)
            touched[index] += bool(np.any(record))
    assert touched.min() > count / 4, touched  # else the parity above would mean little


# files of meshes


def test_all_kinds_of_files_hold_one_mesh(tmp_path):
    kinds = {"a.obj": obj(), "b.vtp": vtp(), "c.stl": stl(), "d.stl": binary_stl()}
    meshes = []
    for name, content in kinds.items():
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        meshes.append(read_mesh(path))
    for mesh in meshes:
        np.testing.assert_allclose(mesh.center, meshes[0].center, atol=1e-7)
        np.testing.assert_allclose(mesh.area, meshes[0].area, atol=1e-7)
    assert meshes[0].area.sum() == pytest.approx(2 * (0.4 * 0.2 + 0.4 * 0.25 + 0.2 * 0.25))


def test_a_polygon_of_five_corners_is_cut_about_its_middle(tmp_path):
    five = np.array([[np.cos(t), np.sin(t), 0] for t in 2 * np.pi * np.arange(5) / 5])
    sides = [(0, 1, 2, 3, 4), *((i + 1 if i < 4 else 0, i, 5) for i in range(5))]
    path = tmp_path / "five.obj"
    path.write_text(obj([*five, (0, 0, -1)], sides))
    mesh = read_mesh(path)
    assert len(mesh.area) == 10
    np.testing.assert_allclose(mesh.area[:5], np.sin(2 * np.pi / 5) / 2)


@pytest.mark.parametrize(
    "content, message",
    [
        (obj(sides=SIDES[:-1]), "a closed surface"),
        (obj(sides=(*SIDES, SIDES[0])), "a closed surface"),
        (obj(sides=(*SIDES[:-1], (7, 3, 3))), "triangles with an area"),
        (obj(sides=((0, 1, 9),)), "polygons of the 8 points"),
        (obj(points=[*POINTS, (9, 9, 9)]), "points that all belong to triangles"),
        ("v 0 0 nan\nf 1 1 1", "finite coordinates"),
        ("v 0 0 word", "could not convert"),
        ("", "expected triangles"),
    ],
)
def test_meshes_that_opensim_would_not_take_are_refused(content, message):
    path = world(FORCES[0], geometry=FLOOR + box("bad.obj"), content=content, name="bad.obj")
    with pytest.raises(OsimFormatError, match=rf"ContactMesh\[box\]: .*bad.obj: .*{message}"):
        jaxosim.load_model(path)


@pytest.mark.parametrize("ends", [[22, 0] * 3 + [22], [4, 30], []])
def test_polygons_of_a_vtp_file_are_parts_of_its_corners(tmp_path, ends):
    (tmp_path / "box.vtp").write_text(vtp(ends))
    with pytest.raises(OsimFormatError, match="offsets that rise to the number of corners"):
        read_mesh(tmp_path / "box.vtp")


@pytest.mark.parametrize("name", ("no.obj", "../box.obj", "/etc/passwd", "box.txt", "/etc/a.obj"))
def test_only_meshes_in_the_models_folder_are_opened(name):
    path = world(FORCES[0], geometry=FLOOR + box(name))
    with pytest.raises(
        OsimFormatError, match="expected as filename a mesh .* in the model's folder"
    ):
        jaxosim.load_model(path)


def test_another_content_of_the_mesh_is_another_model():
    path = world(FORCES[0], geometry=FLOOR + box("changed.obj"), name="changed.obj")
    first, params = jaxosim.load_model(path)
    assert jaxosim.load_model(path)[0] is first
    (path.parent / "changed.obj").write_text(obj(2 * POINTS))
    _, larger = jaxosim.load_model(path)
    areas = [numbers.elastic_foundations.area for numbers in (params, larger)]
    np.testing.assert_allclose(areas[1], 4 * areas[0])


def test_meshes_on_meshes_are_refused_by_name():
    geometry = FLOOR + box() + box(name="other", body="b")
    with pytest.raises(UnsupportedComponentError, match="meshes with meshes is not simulated"):
        jaxosim.load_model(world(force("f", material("box other")), geometry=geometry))


# property


@pytest.mark.thorough
def test_what_the_mesh_feels_the_other_body_feels_reversed(loaded):
    model, params = loaded
    state = state_at(model, params, 1)
    out = hopper_model.describe(model, params, state, checks.no_controls()).forces
    force_on = np.asarray(out["elastic_foundations"].force).reshape(2, 2, 3)
    np.testing.assert_allclose(force_on[:, 0], -force_on[:, 1], atol=1e-12)
    assert np.any(force_on)


@pytest.mark.thorough
def test_a_flat_face_is_pressed_by_its_area_times_its_depth(loaded):
    """A level box pushed into a level floor: stiffness (N/m³) times the volume that is inside."""
    model, params = loaded
    foundations = params.elastic_foundations
    level = foundations.orientation.at[0].set(0.0).at[1].set(jnp.array([0.0, 0.0, -np.pi / 2]))
    numbers = dataclasses.replace(
        params, elastic_foundations=dataclasses.replace(foundations, orientation=level)
    )
    start = hopper_model.initial(model, params)
    state = dataclasses.replace(start, q=jnp.asarray([0.0, 0.0, 0.05, 0.0]))
    info = hopper_model.describe(model, numbers, state, checks.no_controls())
    bottom = 0.05 + 0.02 - 0.1  # joint, place of the mesh on the body, half its height
    found = info.forces["elastic_foundations"].force[:2]
    push = np.array([0, -2e5 * 0.4 * 0.25 * bottom, 0])
    np.testing.assert_allclose(found, [push, -push], atol=1e-9)


# gradient


@pytest.mark.thorough
def test_gradients_equal_differences_and_are_finite_where_nothing_slips_or_touches(loaded):
    model, params = loaded
    start = hopper_model.initial(model, params)
    still = [dataclasses.replace(start, q=jnp.asarray([0.0, 0.0, y, 0.0])) for y in (0.05, 3.0)]
    state = state_at(model, params, 1)
    checks.assert_gradients_equal_differences(
        model, params, "elastic_foundations", state, 1e-7, still
    )


# batch, compile


@pytest.mark.thorough
def test_a_batch_of_rates_equals_single_ones_and_is_traced_once(loaded):
    model, params = loaded
    at = [state_at(model, params, seed) for seed in range(3)]
    hopper_model.assert_batches_equal_single_worlds(jaxosim.state_derivative, model, params, at)


@pytest.mark.slow
def test_a_batch_of_steps_equals_single_ones_and_is_traced_once(loaded):
    model, params = loaded
    at = [state_at(model, params, seed) for seed in range(3)]
    checks.assert_batches_equal_single_steps(model, params, at)
