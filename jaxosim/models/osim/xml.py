"""Bytes of an `.osim` file → one element tree, safely.

Model files come from strangers, and many are not well-formed XML: OpenSim's own parser lets pass
tags such as `HuntCrossleyForce::ContactParameters`, comments inside comments and bare ampersands.
We mend those three things, in linear time, and let a parser without namespaces, entities and DTD
do the rest. Size, depth and number of elements are bounded before they can cost anything.

Source: SimTK's TinyXML; see docs/theory/model_files.md, "Lexical rules".
"""

import os
import re
import stat
from dataclasses import dataclass
from typing import Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

from defusedxml.common import DefusedXmlException
from defusedxml.sax import make_parser

from jaxosim.errors import QUOTED_LENGTH, OsimFormatError, quote

# Bounds against hostile files. The largest public models have some 10 MB, 200 000 elements and
# 15 levels.
MAX_BYTES = 32 * 1024 * 1024
MAX_ELEMENTS = 500_000
MAX_DEPTH = 64
MAX_NAME_LENGTH = 500

OLDEST_VERSION = 10901  # OpenSim 4.6 refuses older ones, whose joints are described differently
LATEST_VERSION = 40600  # OpenSim 4.6, which reads later ones as if they were its own

_COMMENT_OR_CDATA = re.compile(r"<!--|<!\[CDATA\[")


class Element:
    """An XML element: tag, the two attributes OpenSim knows, text, children, line in the file."""

    __slots__ = ("tag", "name", "file", "text", "children", "parent", "line")

    def __init__(self, tag: str, text: str = "", name: str = "", line: int = 0):
        """An element without children or parent."""
        self.tag = tag
        self.name = name
        self.file = ""
        self.text = text
        self.children: list[Element] = []
        self.parent: Element | None = None
        self.line = line

    def child(self, tag: str) -> "Element | None":
        """The first child of this tag; OpenSim ignores later ones."""
        return next((child for child in self.children if child.tag == tag), None)

    def append(self, child: "Element") -> "Element":
        """Add a child at the end; one made by us inherits our line."""
        child.parent = self
        child.line = child.line or self.line
        self.children.append(child)
        return child

    def remove(self, child: "Element") -> None:
        """Take out this very child."""
        self.children = [other for other in self.children if other is not child]

    def walk(self) -> "list[Element]":
        """This element and all below it, parents before children."""
        found: list[Element] = []
        pending: list[Element] = [self]
        while pending:
            element = pending.pop()
            found.append(element)
            pending.extend(reversed(element.children))
        return found

    def path(self) -> str:
        """Where the element stands, as tags with names: `Model[gait]/BodySet/objects/Body[r]`."""
        steps: list[str] = []
        element: Element | None = self
        while element is not None:
            steps.append(element.tag + (f"[{element.name}]" if element.name else ""))
            element = element.parent
        return "/".join(step[:QUOTED_LENGTH] for step in reversed(steps))

    def error(self, message: str) -> OsimFormatError:
        """The exception for something wrong here; the caller raises it."""
        return OsimFormatError(f"line {self.line}: {self.path()}: {message}")


@dataclass(frozen=True)
class Document:
    """A parsed file: its dialect, as OpenSim numbers them, and the Model or other first element."""

    version: int
    model: Element


def read_bytes(path: str | os.PathLike) -> bytes:
    """The content of a regular file of bearable size.

    Raises:
      OsimFormatError: no such file, not a regular file, not readable, or too large.
    """
    name = os.fspath(path)
    try:
        status = os.stat(path)
        # A pipe or device would block or never end.
        is_file = stat.S_ISREG(status.st_mode)
        if is_file and status.st_size <= MAX_BYTES:
            with open(path, "rb") as file:
                return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise OsimFormatError(f"{name!r}: cannot be read: {error}") from error
    if not is_file:
        raise OsimFormatError(f"{name!r}: expected a file, this is a directory or device")
    raise OsimFormatError(f"{name!r}: {_too_large(status.st_size)}")


def parse_document(data: bytes, tag: str = "Model") -> Document:
    """Parse the bytes of a file of OpenSim into its version and first element.

    Args:
      data: The whole file.
      tag: The class of which the first element has to be.

    Raises:
      OsimFormatError: not an OpenSim file of this class, or beyond the bounds above.
    """
    if len(data) > MAX_BYTES:
        raise OsimFormatError(_too_large(len(data)))
    root, version_text = _parse(_repair(_decode(data)))
    if root.tag != "OpenSimDocument":
        raise root.error("expected the root element OpenSimDocument")
    version = _version(root, version_text)
    if not root.children:
        raise root.error(f"expected an element {tag}, the document is empty")
    model = root.children[0]
    if model.tag != tag:
        raise model.error(f"expected {tag} as first element, found {quote(model.tag)}")
    model.parent = None  # paths in messages start at this element
    return Document(version, model)


def _too_large(size: int) -> str:
    return f"expected a model file of at most {MAX_BYTES} bytes, found {size}"


def _version(root: Element, text: str) -> int:
    if not re.fullmatch(r"\s*[0-9]{1,9}\s*", text, re.ASCII):
        raise root.error(f"expected a whole number as Version, found {quote(text)}")
    version = int(text)
    if version < OLDEST_VERSION:
        raise root.error(
            f"expected Version {OLDEST_VERSION} or later, found {version}: open and save it with "
            "OpenSim 3.3, since OpenSim 4 does not read it"
        )
    return version


def _decode(data: bytes) -> str:
    """Bytes to text, by byte-order mark, else by the declaration, else as UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        declared = re.match(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.-]{1,40})", data)
        encoding = declared[1].decode("ascii").lower() if declared else "utf-8"
    if encoding not in {"utf-8", "utf-16", "us-ascii", "ascii", "iso-8859-1", "windows-1252"}:
        raise OsimFormatError(f"expected a common text encoding, the file declares {encoding!r}")
    try:
        text = data.decode("utf-8-sig" if encoding in {"utf-8", "ascii", "us-ascii"} else encoding)
    except UnicodeDecodeError as error:
        # Credits with accents, saved by an old editor and still declared as UTF-8, are common.
        if encoding == "utf-16":
            raise OsimFormatError(f"expected UTF-16 text: {error}") from error
        text = data.decode("iso-8859-1")
    if "\0" in text:
        raise OsimFormatError("expected an XML text file, found binary data")
    if not text.strip():
        raise OsimFormatError("expected an XML text file, found an empty one")
    return text


def _repair(text: str) -> str:
    """Mend what OpenSim tolerates and XML forbids; line numbers stay as they are."""
    # A declaration after white space is an error, and the encoding in it no longer true.
    declaration = re.match(r"\s*<\?xml[^>]*\?>", text)
    if declaration:
        text = _newlines(declaration[0]) + text[declaration.end() :]
    text = _without_comments(text)
    return re.sub(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9a-fA-F]+);)", "&amp;", text)


def _newlines(text: str) -> str:
    return "\n" * text.count("\n")


def _without_comments(text: str) -> str:
    """Cut comments, each ending at the first `-->`, whatever it holds (one may hold another)."""
    kept: list[str] = []
    position = 0
    while opening := _COMMENT_OR_CDATA.search(text, position):
        is_comment = opening[0] == "<!--"
        end = text.find("-->" if is_comment else "]]>", opening.end())
        if end < 0:
            line = text.count("\n", 0, opening.start()) + 1
            raise OsimFormatError(f"line {line}: {opening[0]} is never closed (truncated file?)")
        end += 3
        kept.append(text[position : opening.start() if is_comment else end])
        if is_comment:
            kept.append(_newlines(text[opening.start() : end]))
        position = end
    kept.append(text[position:])
    return "".join(kept)


class _Builder(ContentHandler):
    """Grows our elements from the parser's events, and stops at the bounds."""

    def __init__(self, locator: Any):
        super().__init__()
        self.root: Element | None = None
        self.version = ""
        self._locator = locator
        self._open: list[Element] = []
        self._text: list[str] = []
        self._count = 0

    def startElement(self, name: str, attrs: Any) -> None:
        element = Element(name.replace("::", "_"), name=attrs.get("name", ""))
        element.file = attrs.get("file", "")
        element.line = self._locator.getLineNumber()
        for word in (element.tag, element.name, element.file):
            # Names enter messages and, many times over, the tree of components.
            if len(word) > MAX_NAME_LENGTH or not "".join(word.split()).isprintable():
                raise OsimFormatError(
                    f"line {element.line}: expected a name of at most {MAX_NAME_LENGTH} printable"
                    f" characters, found {quote(word)}"
                )
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise OsimFormatError(
                f"line {element.line}: expected at most {MAX_ELEMENTS} elements,"
                f" nested at most {MAX_DEPTH} deep"
            )
        if self._open:
            self._end_text()
            self._open[-1].append(element)
        else:
            self.root, self.version = element, attrs.get("Version", "")
        self._open.append(element)

    def characters(self, content: str) -> None:
        # Text after a child is only formatting.
        if not self._open[-1].children:
            self._text.append(content)

    def endElement(self, name: str) -> None:
        self._end_text()
        self._open.pop()

    def _end_text(self) -> None:
        if self._text:
            self._open[-1].text = "".join(self._text)
            self._text = []


def _parse(text: str) -> tuple[Element, str]:
    parser: Any = make_parser()
    builder = _Builder(parser)
    parser.forbid_dtd = parser.forbid_entities = parser.forbid_external = True
    parser.setContentHandler(builder)
    try:
        parser.feed(text)
        parser.close()
    except SAXParseException as error:
        raise OsimFormatError(
            f"line {error.getLineNumber()}, column {error.getColumnNumber()}:"
            f" expected well-formed XML: {error.getMessage()}"
        ) from error
    except DefusedXmlException as error:
        raise OsimFormatError("expected no DTD and no entities of its own") from error
    if builder.root is None:
        raise OsimFormatError("expected an OpenSimDocument, found no element")
    return builder.root, builder.version
