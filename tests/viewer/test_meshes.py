"""Meshes: read as triangles, and never from outside the given folders."""

import os
import sys

import numpy as np
import pytest

from jaxosim.errors import MissingExtraError, OsimFormatError
from jaxosim.viewer.meshes import find_mesh, read_mesh
from tests.viewer.conftest import SQUARE


def test_polygons_become_triangles(tmp_path):
    (tmp_path / "square.vtp").write_text(SQUARE)
    mesh = read_mesh(tmp_path / "square.vtp")
    assert mesh.vertices.shape == (5, 3)
    assert sorted(map(sorted, mesh.faces.tolist())) == [[0, 1, 2], [0, 1, 4], [0, 2, 3]]


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "expected a VTK XML file"),
        ("<a/>", "expected VTKFile/PolyData/Piece"),
        (SQUARE.replace("0 1 2 3 0", "0 1 2 9 0"), "polygons of the 5 points"),
        (SQUARE.replace("0 1 2 3 0", "0 1 2 -1 0"), "polygons of the 5 points"),
        (SQUARE.replace(">4 7<", ">4 8<"), "polygons of the 5 points"),
        (SQUARE.replace("0 0 0  1", "0 nan 0  1"), "finite numbers for each of Points"),
        (SQUARE.replace("0 0 0  1", "0 zero 0  1"), "expected numbers in Points"),
        (SQUARE.replace('format="ascii">\n0', 'format="appended">\n0'), "in ASCII"),
        ('<!DOCTYPE a [<!ENTITY e "x">]><VTKFile/>', "expected a VTK XML file"),
    ],
)
def test_what_is_no_mesh_is_refused_by_name(tmp_path, text, complaint):
    path = tmp_path / "bad.vtp"
    path.write_text(text)
    with pytest.raises(OsimFormatError, match="bad.vtp: ") as caught:
        read_mesh(path)
    assert complaint in str(caught.value)


OBJ = """mtllib ../secret/other.vtp
usemtl bone
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 0 0 1
f 1//1 2//2 3//3 4//4
f -5 -4 -1
"""
STL = """solid bone
facet normal 0 0 1
outer loop
vertex 0 0 0
vertex 2 0 0
vertex 0 3 0
endloop
endfacet
endsolid bone
"""


def binary_stl(corners):
    triangle = np.zeros(1, [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("more", "<u2")])
    triangle["corners"] = corners
    return b"binary".ljust(80) + np.uint32(1).tobytes() + triangle.tobytes()


def test_obj_and_stl_are_read_as_they_are(tmp_path):
    pytest.importorskip("trimesh", reason="trimesh is not installed (extra `view`)")
    (tmp_path / "square.OBJ").write_text(OBJ)
    mesh = read_mesh(tmp_path / "square.OBJ")
    assert mesh.vertices.shape == (5, 3)
    corners = mesh.vertices[mesh.faces]
    areas = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    assert [0, 1, 4] in [sorted(face) for face in mesh.faces.tolist()]
    assert areas.sum() / 2 == pytest.approx(1 + 0.5)  # the square and the triangle
    expected = np.array([[0, 0, 0], [2, 0, 0], [0, 3, 0]])
    for name, content in (("ascii.stl", STL.encode()), ("binary.stl", binary_stl(expected))):
        (tmp_path / name).write_bytes(content)
        mesh = read_mesh(tmp_path / name)
        np.testing.assert_array_equal(mesh.vertices[mesh.faces[0]], expected)


@pytest.mark.parametrize(
    "name, content, complaint",
    [
        ("bad.obj", b"", "expected triangles in a .obj file"),
        ("bad.obj", b"v 0 0 0\nf 1 2 3\n", "expected a .obj file"),
        ("bad.obj", b"v 0 0 zero\nf 1 1 1\n", "expected a .obj file"),
        ("bad.obj", OBJ.replace("1 1 0", "1 nan 0").encode(), "finite numbers"),
        ("bad.stl", b"", "expected triangles in a .stl file"),
        ("bad.stl", b"<VTKFile/>", "expected triangles in a .stl file"),
        ("bad.stl", binary_stl(np.full((3, 3), np.inf)), "finite numbers"),
        ("bad.stl", binary_stl(np.zeros((3, 3)))[:-7], "expected"),
        ("bad.txt", b"", "ends in .vtp, .stl, .obj"),
    ],
)
def test_what_is_no_obj_or_stl_is_refused_by_name(tmp_path, name, content, complaint):
    pytest.importorskip("trimesh", reason="trimesh is not installed (extra `view`)")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OsimFormatError, match=f"{name}: ") as caught:
        read_mesh(tmp_path / name)
    assert complaint in str(caught.value)


def test_without_trimesh_one_line_tells_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trimesh", None)
    (tmp_path / "bone.obj").write_text(OBJ)
    with pytest.raises(MissingExtraError, match=r"pip install 'jaxosim\[view\]'"):
        read_mesh(tmp_path / "bone.obj")


def test_meshes_are_found_in_the_folders_only(tmp_path):
    inside, outside = tmp_path / "Geometry", tmp_path / "secret"
    inside.mkdir()
    outside.mkdir()
    (inside / "bone.vtp").write_text(SQUARE)
    (outside / "other.vtp").write_text(SQUARE)
    (inside / "bone.txt").write_text("no mesh")
    os.symlink(outside / "other.vtp", inside / "link.vtp")
    os.symlink(outside / "other.vtp", inside / "link.stl")
    os.symlink(outside, inside / "folder.vtp")
    assert find_mesh("bone.vtp", [outside, inside]) == inside / "bone.vtp"
    for name in (
        "../secret/other.vtp",
        "..\\secret\\other.vtp",
        str(outside / "other.vtp"),
        "link.vtp",
        "link.stl",
        "../secret/other.obj",
        "folder.vtp",
        "folder.vtp/other.vtp",
        "bone.txt",
        "bone.vtp\0",
        "..",
        "",
        "missing.vtp",
    ):
        assert find_mesh(name, [inside]) is None, name
