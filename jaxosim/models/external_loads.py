"""An ExternalLoads file: forces on a model's bodies, and the table that gives them over time.

The table is looked for beside the ExternalLoads file. Unlike a model, which never opens another
file, this file is named by the user for the sake of the table in it.

Source: OpenSim `ExternalLoads`; see docs/theory/two_frame_forces.md, "External forces".
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from jaxosim.errors import OsimFormatError, quote
from jaxosim.forces.external_force import TAGS, DataSource
from jaxosim.models.osim.context import Context, member_list, name_components
from jaxosim.models.osim.frames import Component
from jaxosim.models.osim.upgrade import upgrade
from jaxosim.models.osim.xml import Element, parse_document, read_bytes
from jaxosim.sto.table import read_table

_OLDEST_VERSION = 20301  # before, the forces were of another class
_SUFFIXES = (".sto", ".mot")


@dataclass(frozen=True, eq=False)
class ExternalLoads:
    """What a file says: the forces, their class's defaults, and their data."""

    source: str
    forces: tuple[Element, ...]
    defaults: Element | None
    data: DataSource
    digest: bytes  # of everything that was read

    def components(self, context: Context, tree: Component) -> list[Component]:
        """The forces as components of a model; the context then knows their data."""
        context.external_data = self.data
        if self.defaults is not None:
            context.defaults[self.defaults.tag] = self.defaults
        return [Component(force, tree) for force in self.forces]


def read_external_loads(path: str | os.PathLike[str]) -> ExternalLoads:
    """Read an ExternalLoads file and its table.

    Args:
      path: of the `.xml` file; its `datafile` is relative to the folder that the file is in.

    Raises:
      OsimFormatError: it cannot be read, is no ExternalLoads, or names no `.sto` or `.mot`.
      TableFormatError: the table cannot be read.
      OSError: there is no such table.
    """
    source = os.fspath(path)
    content = read_bytes(path)
    try:
        document = parse_document(content, "ExternalLoads")
        loads = document.model
        if document.version < _OLDEST_VERSION:
            raise loads.error(
                f"expected Version {_OLDEST_VERSION} or later, found {document.version}: open and "
                "save it with OpenSim, which gives its forces the class that is read here"
            )
        forces, defaults = _forces(loads, document.version)
        table = read_table(_table_path(loads, Path(source)))
    except OsimFormatError as error:
        raise OsimFormatError(f"{source}: {error}") from error
    data = DataSource(source, table.source, table.labels, table.time, table.values)
    digest = hashlib.sha256(content)
    for part in (source, repr(table.labels)):
        digest.update(part.encode())
    for numbers in (table.time, table.values):
        digest.update(numbers.tobytes())
    return ExternalLoads(source, forces, defaults, data, digest.digest())


def _forces(loads: Element, version: int) -> tuple[tuple[Element, ...], Element | None]:
    """The forces in the newest dialect, each under a name of its own, and their defaults."""
    # As the forces of a model, which are upgraded alike.
    model, members = Element("Model"), Element("ForceSet")
    for child in loads.children:
        (model if child.tag == "defaults" else members).append(child)
    model.append(members)
    upgrade(model, version)
    model.tag, model.name = loads.tag, loads.name  # in messages
    forces = member_list(model, "ForceSet")
    for force in forces:
        if force.tag not in TAGS:
            raise force.error(f"expected {TAGS[0]}, found {quote(force.tag)}")
    name_components(forces)
    defaults = model.child("defaults")
    return tuple(forces), next((defaults.child(tag) for tag in TAGS if defaults), None)


def _table_path(loads: Element, path: Path) -> Path:
    """The table that the file names, beside it."""
    named = loads.child("datafile")
    # OpenSim differs: it looks in the working directory first.
    text = named.text.strip().replace("\\", "/") if named else ""
    if not text.lower().endswith(_SUFFIXES):
        raise loads.error(
            f"expected as datafile the name of a .sto or .mot file, found {quote(text)}"
        )
    return path.parent / text
