"""What every part of the reader shares: class defaults of the file, names, and refusals.

A *property* is a child element that OpenSim would read by name; if it is missing, the file's own
`<defaults>` speak for the class, and after them OpenSim's default.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxosim.errors import quote
from jaxosim.models.osim.values import boolean, numbers
from jaxosim.models.osim.xml import Element
from jaxosim.models.spec import UnsupportedSpec, Vec3

LARGEST = 1e150  # of a vector's entries: their squares are finite

_NO_PATH_STEP = re.compile(r"[\\*+\s/]")


class CannotContinue(Exception):
    """The rest of the file makes no sense without something we refuse; carries no message."""


@dataclass
class Context:
    """Class defaults of one file, and what in it we cannot simulate."""

    defaults: dict[str, Element] = field(default_factory=dict)
    unsupported: dict[UnsupportedSpec, None] = field(default_factory=dict)  # an ordered set
    coordinates: frozenset[str] = frozenset()  # names of all, known once the joints are read
    contact_geometry: dict[str, Element] = field(default_factory=dict)  # by name, of any shape
    notes: dict[str, list[Element]] = field(default_factory=dict)  # by message, where it holds
    wrap_objects: dict[str, Any] = field(default_factory=dict)  # frame and element, by name
    home: Path | None = None  # the folder of the file, in which other files are looked for
    files: list[Path] = field(default_factory=list)  # other files that were read
    external_data: Any = None  # the table of external forces, while these are read

    def refuse(self, class_name: str, name: str, reason: str) -> None:
        """Note something that changes the dynamics and that we do not simulate."""
        self.unsupported[UnsupportedSpec(class_name, name, reason)] = None

    def note(self, element: Element, message: str) -> None:
        """Note something wrong in the file that OpenSim passes over, to warn of it."""
        self.notes.setdefault(message, []).append(element)

    def property(self, element: Element, tag: str) -> Element | None:
        """The element of a property, from the object itself or from the file's defaults."""
        found = element.child(tag)
        if found is None and element.tag in self.defaults:
            found = self.defaults[element.tag].child(tag)
        return found

    def value(self, element: Element, tag: str) -> Element | None:
        """The element of a property; one without content says nothing, as in OpenSim."""
        found = self.property(element, tag)
        if found is None or found.text.strip() or found.children:
            return found
        self.note(found, "took the default, since it is empty")
        default = self.defaults.get(element.tag)
        other = None if default is None else default.child(tag)
        return other if other is not None and other.text.strip() else None

    def object_property(
        self, element: Element, name: str, classes: Iterable[str]
    ) -> Element | None:
        """The one object of a property, in any of the forms OpenSim accepts.

        They are `<name><Class>…`, `<Class name="name">…`, or a nameless `<Class>…`.
        """
        for source in (element, self.defaults.get(element.tag)):
            if source is None:
                continue
            holder = source.child(name)
            if holder is not None:
                return holder.children[0] if holder.children else None
            named = [child for child in source.children if child.name == name]
            nameless = (c for c in source.children if not c.name and c.tag in classes)
            found = named[0] if named else next(nameless, None)
            if found is not None:
                return found
        return None

    def optional_object_property(self, element: Element, name: str) -> Element | None:
        """The object of a property that may be absent: OpenSim reads `<name><Class>…` only."""
        holder = self.property(element, name)
        return holder.children[0] if holder is not None and holder.children else None

    def number(
        self,
        element: Element,
        tag: str,
        default: float | None,
        *,
        least: float | None = None,
        above: float | None = None,
        allow_infinite: bool = False,
    ) -> float:
        """A property of one number; without default it must be there.

        Raises:
          OsimFormatError: it is none, less than `least`, or not `above` another.
        """
        found = self.value(element, tag)
        if found is None and default is None:
            raise element.error(f"expected a {tag}")
        one = default if found is None else numbers(found, 1, allow_infinite=allow_infinite)[0]
        assert one is not None
        if least is not None and one < least:
            raise element.error(f"expected a {tag} of {least:g} or more, found {one}")
        if above is not None and one <= above:
            raise element.error(f"expected a {tag} above {above:g}, found {one}")
        return one

    def range(self, element: Element, default: tuple[float, float]) -> tuple[float, float]:
        """A property `range` of two numbers, of which either may be infinite."""
        found = self.value(element, "range")
        if found is None:
            return default
        low, high = numbers(found, 2, allow_infinite=True)
        return low, high

    def vector(self, element: Element, tag: str, default: Vec3) -> Vec3:
        """A property of three numbers."""
        found = self.value(element, tag)
        if found is None:
            return default
        x, y, z = numbers(found, 3)
        if max(abs(x), abs(y), abs(z)) > LARGEST:
            # OpenSim differs: it accepts them, and its sums of squares are infinite.
            raise found.error(f"expected numbers of {LARGEST:g} or less")
        return x, y, z

    def boolean(self, element: Element, tag: str, default: bool) -> bool:
        """A property of one flag."""
        found = self.value(element, tag)
        return default if found is None else boolean(found)

    def text(self, element: Element, tag: str) -> str:
        """A property of one word or phrase, empty if absent."""
        found = self.property(element, tag)
        return "" if found is None else found.text.strip()

    def word(self, element: Element, tag: str) -> str:
        """A property of one word, empty if absent, that OpenSim refuses where it is empty.

        Raises:
          OsimFormatError: it is there without content.
        """
        found = self.property(element, tag)
        if found is not None and not found.text.strip():
            raise found.error("expected a word, found nothing")
        return self.text(element, tag)


def member_list(owner: Element | None, tag: str) -> list[Element]:
    """The members of a set (`<BodySet><objects>…`) or the objects of a list property."""
    found = owner.child(tag) if owner is not None else None
    if found is None:
        return []
    objects = found.child("objects")
    return (
        objects.children
        if objects is not None
        else [child for child in found.children if child.tag != "groups"]
    )


def check_name(component: Element) -> None:
    r"""Refuse a name that could not be a step of a path, as OpenSim does.

    Raises:
      OsimFormatError: white space, or one of the characters / \\ * +.
    """
    if _NO_PATH_STEP.search(component.name):
        expected = r"expected a name without blanks and without / \ * +"
        raise component.error(f"{expected}, found {quote(component.name)}")


def name_components(*siblings: Iterable[Element]) -> None:
    """Give siblings the unique names that OpenSim gives them, in place.

    A nameless component takes its class name in lower case; the second of a name becomes
    `<name>_0`, the third `<name>_1`.

    Raises:
      OsimFormatError: a name that no component of OpenSim may have.
    """
    taken: set[str] = set()
    next_suffix: dict[str, int] = {}
    for group in siblings:
        for element in group:
            check_name(element)
            name = element.name or element.tag.lower()
            unique = name
            # Suffixes below the last one given are taken for good: this keeps the loop linear.
            count = next_suffix.get(name, 0)
            while unique in taken:
                unique = f"{name}_{count}"
                count += 1
            next_suffix[name] = count
            taken.add(unique)
            element.name = unique
