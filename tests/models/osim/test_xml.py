"""Bytes to element tree: what is mended, what is refused, and at what cost."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from jaxosim.errors import OsimFormatError
from jaxosim.models.osim import xml
from jaxosim.models.osim.xml import MAX_BYTES, parse_document, read_bytes

MINIMAL = '<OpenSimDocument Version="40600"><Model name="m"/></OpenSimDocument>'
# Generous: on an idle machine the worst case takes two seconds.
SECONDS = 20.0


@contextmanager
def bounded():
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


def model_of(text, encoding="utf-8"):
    return parse_document(text.encode(encoding)).model


def inside(text):
    return f'<OpenSimDocument Version="40600"><Model name="m">{text}</Model></OpenSimDocument>'


def refusal(data):
    with bounded(), pytest.raises(OsimFormatError) as error:
        parse_document(data if isinstance(data, bytes) else data.encode())
    assert len(str(error.value)) < 1000
    return str(error.value)


# What is mended


def test_version_and_model():
    document = parse_document(MINIMAL.encode())
    assert document.version == 40600
    assert (document.model.tag, document.model.name) == ("Model", "m")


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("", "utf-8-sig"),
        ("", "utf-16"),
        ("UTF-8", "utf-8"),
        ("ISO-8859-1", "iso-8859-1"),
        ("windows-1252", "windows-1252"),
        ("UTF-8", "iso-8859-1"),  # wrongly declared, as old editors do
    ],
)
def test_encodings(declared, encoding):
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    credits = model_of(declaration + inside("<credits>Müller</credits>"), encoding).child("credits")
    assert credits.text == "Müller"


def test_double_colons_become_underscores():
    model = model_of(inside('<A::B name="x::y"><A::B::C/></A::B>'))
    assert model.children[0].tag == "A_B"
    assert model.children[0].name == "x::y"
    assert model.children[0].children[0].tag == "A_B_C"


@pytest.mark.parametrize(
    "comment", ["<!-- a -- b -->", "<!-- <!-- a -->", "<!--<mass>1</mass>-->", "<!---->"]
)
def test_comments_of_any_kind_vanish(comment):
    model = model_of(inside(f"{comment}<mass>2 {comment} 3</mass>"))
    assert [child.tag for child in model.children] == ["mass"]
    assert model.children[0].text.split() == ["2", "3"]


def test_ampersands_and_cdata():
    model = model_of(inside("<a>R&D &amp; &#65;</a><b><![CDATA[1 <!-- 2 ]]></b>"))
    assert model.child("a").text == "R&D & A"
    assert model.child("b").text == "1 <!-- 2 "


def test_white_space_before_the_declaration_and_line_ends():
    text = '\r\n <?xml version="1.0"?>\r\n' + inside("<mass>\r\n1\r\n</mass>")
    assert model_of(text).child("mass").text.split() == ["1"]


def test_lines_and_paths_for_messages():
    text = inside('\n<!-- one\ntwo -->\n<BodySet><objects><Body name="b"/></objects></BodySet>')
    body = model_of(text).children[0].children[0].children[0]
    assert str(body.error("expected")) == "line 4: Model[m]/BodySet/objects/Body[b]: expected"


def test_only_text_before_children_counts():
    assert model_of(inside("<a>1<b/>2</a>")).child("a").text == "1"


# What is refused


@pytest.mark.parametrize(
    "version",
    ["0", "10500", "10600", "10900"],
)
def test_files_that_opensim_4_does_not_read_get_its_advice(version):
    message = refusal(MINIMAL.replace("40600", version))
    assert f"found {version}: open and save it with OpenSim 3.3" in message


@pytest.mark.parametrize("version", ["10901", "10905", "19999", "20000", "20302", "40600"])
def test_files_since_10901_are_read(version):
    assert parse_document(MINIMAL.replace("40600", version).encode()).version == int(version)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "binary"),
        (bytes(range(1, 256)), "well-formed"),
        (b"\xff\xfe<\x00a", "UTF-16"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "utf-7"),
        ("no XML at all", "well-formed"),
        ("<Model/>", "OpenSimDocument"),
        ('<OpenSimDocument Version="40600"/>', "empty"),
        ('<OpenSimDocument Version="40600"><ForwardTool/></OpenSimDocument>', "ForwardTool"),
        (MINIMAL.replace("40600", "x"), "whole number"),
        (MINIMAL.replace("40600", "10500"), "10500"),
        (MINIMAL.replace(' Version="40600"', ""), "Version"),
        (MINIMAL[:50], "well-formed"),
        (inside("<mass>1</mas>"), "well-formed"),
        (inside("<!-- never closed"), "line 1: <!-- is never closed"),
        (inside("<![CDATA[ never closed"), "never closed"),
        (inside(f'<a name="{"n" * 501}"/>'), "name"),
        (inside(f"<{'t' * 501}/>"), "name"),
        (inside("<a name='\u009b31m'/>"), "printable"),
        (MINIMAL * 2, "well-formed"),
    ],
)
def test_not_a_model_file(data, words):
    assert words in refusal(data)


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;">]>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://localhost/a.dtd">',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://localhost/a.dtd"> %x;]>',
    ],
)
def test_no_dtd_and_no_entities(declaration):
    text = declaration + inside("<credits>&x;&y;</credits>")
    assert "DTD" in refusal(text)
    assert "passwd" not in refusal(text)


def test_undeclared_entities_are_plain_text():
    assert model_of(inside("<credits>&lol9;</credits>")).child("credits").text == "&lol9;"


HOSTILE = {
    "deep": lambda size: b"<a>" * (size // 3),
    "deep in a model": lambda size: inside("<a>" * (size // 3)).encode(),
    "many elements": lambda size: inside("<a/>" * (size // 4)).encode(),
    "many attributes": lambda size: inside(
        "<a " + " ".join(f'a{i}=""' for i in range(size // 12)) + "/>"
    ).encode()[:-30],
    "open comments": lambda size: inside("<!--" * (size // 4)).encode(),
    "many comments": lambda size: inside("<!---->" * (size // 7) + "<").encode(),
    "ampersands": lambda size: inside("&" * (size // 5) + "<").encode(),
    "number references": lambda size: inside("&#" + "1" * size + "<").encode(),
    "long tag": lambda size: inside("<" + "a" * size + "/>").encode(),
    "colons": lambda size: inside("<a" + "::" * (size // 2) + "/>").encode(),
    "unclosed tag": lambda size: inside("<a " + " " * size).encode(),
    "declaration": lambda size: b" " * (size // 2) + b"<?xml " + b" " * (size // 2),
    "long text": lambda size: inside("<a>" + "1 " * (size // 2) + "</b>").encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_content_costs_little(name):
    refusal(HOSTILE[name](MAX_BYTES // 4))


def test_memory_is_bounded():
    """The costliest files, at full size, in a process that may not grow beyond 3 GiB."""
    pytest.importorskip("resource")
    code = f"""
import resource
from jaxosim.errors import OsimFormatError
from jaxosim.models.osim import xml
resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
start = b'{MINIMAL[:-20]}'.replace(b"/>", b">")
for piece in (b"<a/>", b"\\xf0\\x9f\\x98\\x80 "):
    data = (start + piece * (xml.MAX_BYTES // len(piece)))[: xml.MAX_BYTES]
    try:
        xml.parse_document(data)
    except OsimFormatError:
        continue
    raise SystemExit(f"read {{piece}}")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]


def test_depth_and_count_of_honest_files_pass(monkeypatch):
    monkeypatch.setattr(xml, "MAX_ELEMENTS", 12)
    monkeypatch.setattr(xml, "MAX_DEPTH", 5)
    model_of(inside("<a/>" * 10))
    assert "elements" in refusal(inside("<a/>" * 11))
    model_of(inside("<a><b><c/></b></a>"))
    assert "nested" in refusal(inside("<a><b><c><d/></c></b></a>"))


# Files


def file_refusal(path):
    with bounded(), pytest.raises(OsimFormatError) as error:
        read_bytes(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_files(tmp_path):
    path = tmp_path / "a.osim"
    assert "cannot be read" in file_refusal(path)
    assert "directory" in file_refusal(tmp_path)
    path.write_text(MINIMAL)
    assert read_bytes(path) == MINIMAL.encode() == read_bytes(str(path))
    os.truncate(path, MAX_BYTES + 1)
    assert "at most" in file_refusal(path)
    with pytest.raises(OsimFormatError):
        read_bytes("a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_does_not_block(tmp_path):
    path = tmp_path / "pipe.osim"
    os.mkfifo(path)
    assert "device" in file_refusal(path)


def test_too_many_bytes():
    assert "at most" in refusal(b" " * (MAX_BYTES + 1))
