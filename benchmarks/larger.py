"""A larger model: several copies of a bundled one, side by side in one `.osim` file."""

import copy
import pathlib
import re
import xml.etree.ElementTree as ET

from jaxosim.models.catalog import resolve

_SETS = ("BodySet", "JointSet", "ForceSet", "ContactGeometrySet")
_NAMED = ("Coordinate", "PhysicalOffsetFrame")  # what others refer to, within a part
_COLONS = ".colons."  # OpenSim has names with colons that no reader of XML takes
_SHARED = "ContactHalfSpace"  # the floor


def side_by_side(name: str, count: int, folder: pathlib.Path) -> pathlib.Path:
    """Write a model that is so many times another; the path of its file.

    Args:
      name: of a bundled model.
      count: copies, each with its own bodies, joints and forces; they share the floor.
      folder: where the file is written.
    """
    text = resolve(name).read_text(encoding="utf-8").replace("::", _COLONS)
    document = ET.fromstring(text)
    model = document.find("Model")
    assert model is not None
    groups = [group for kind in _SETS if (group := model.find(f"{kind}/objects")) is not None]
    originals = [[part for part in group if part.tag != _SHARED] for group in groups]
    names = {
        element.get("name")
        for parts in originals
        for part in parts
        for element in part.iter()
        if element is part or element.tag in _NAMED
    }
    for number in range(2, count + 1):
        for group, parts in zip(groups, originals, strict=True):
            for part in parts:
                group.append(_renamed(part, names, f"_{number}"))
    path = folder / f"{name}_{count}.osim"
    text = ET.tostring(document, encoding="unicode").replace(_COLONS, "::")
    path.write_text(text, encoding="utf-8")
    return path


def _renamed(part: ET.Element, names: set[str | None], suffix: str) -> ET.Element:
    """A copy with a suffix behind each of the names, where they are given and where they occur."""

    def rename(text: str) -> str:
        def one(match: re.Match) -> str:
            return match[0] + suffix if match[0] in names else match[0]

        return re.sub(r"[A-Za-z_][\w.-]*", one, text)

    result = copy.deepcopy(part)
    for element in result.iter():
        if element.get("name"):
            element.set("name", rename(element.get("name", "")))
        if element.text:
            element.text = rename(element.text)
    return result
