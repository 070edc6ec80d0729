"""Meshes: read as triangles, and never from outside the given folders."""

import os

import pytest

from jaxosim.errors import OsimFormatError
from jaxosim.viewer.vtp import find_mesh, read_mesh

SQUARE = """<?xml version="1.0"?>
<VTKFile type="PolyData" version="0.1" byte_order="LittleEndian">
<PolyData><Piece NumberOfPoints="5" NumberOfPolys="2">
<Points><DataArray type="Float32" NumberOfComponents="3" format="ascii">
0 0 0  1 0 0  1 1 0  0 1 0  0 0 1
</DataArray></Points>
<Polys>
<DataArray type="Int32" Name="connectivity" format="ascii">0 1 2 3 0 1 4</DataArray>
<DataArray type="Int32" Name="offsets" format="ascii">4 7</DataArray>
</Polys></Piece></PolyData></VTKFile>
"""


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


def test_meshes_are_found_in_the_folders_only(tmp_path):
    inside, outside = tmp_path / "Geometry", tmp_path / "secret"
    inside.mkdir()
    outside.mkdir()
    (inside / "bone.vtp").write_text(SQUARE)
    (outside / "other.vtp").write_text(SQUARE)
    (inside / "bone.txt").write_text("no mesh")
    os.symlink(outside / "other.vtp", inside / "link.vtp")
    os.symlink(outside, inside / "folder.vtp")
    assert find_mesh("bone.vtp", [outside, inside]) == inside / "bone.vtp"
    for name in (
        "../secret/other.vtp",
        "..\\secret\\other.vtp",
        str(outside / "other.vtp"),
        "link.vtp",
        "folder.vtp",
        "folder.vtp/other.vtp",
        "bone.txt",
        "bone.vtp\0",
        "..",
        "",
        "missing.vtp",
    ):
        assert find_mesh(name, [inside]) is None, name
