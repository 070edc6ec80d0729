"""The documentation: generated pages are current, programs run, citations lead somewhere."""

import dataclasses
import importlib.util
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

import jaxosim
from jaxosim.envs.registry import ENVS

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PROGRAMS = (
    pytest.param("README.md", marks=pytest.mark.slow),  # a gradient of the walker is compiled
    pytest.param("docs/from_file_to_gradient.md", marks=pytest.mark.slow),  # likewise
    pytest.param("docs/environments.md", marks=pytest.mark.slow),  # and its step, and osim-rl's
    pytest.param("docs/bring_your_own_osim.md", marks=pytest.mark.thorough),
    pytest.param("docs/fused.md", marks=pytest.mark.thorough),
    "docs/learning.md",
    pytest.param("docs/many_worlds.md", marks=pytest.mark.thorough),
    pytest.param("docs/sto_mot.md", marks=pytest.mark.thorough),
    pytest.param("docs/troubleshooting.md", marks=pytest.mark.thorough),
    pytest.param("docs/viewing.md", marks=pytest.mark.thorough),
)
# Pages whose programs other tests run.
ELSEWHERE = {"docs/take_part.md", "docs/training.md", "docs/write_your_own_task.md"}
LASTING = ("jaxosim train", "jaxosim view")  # for minutes, or until they are stopped: tests/cli
CITING = ("jaxosim", "tests", "examples", "benchmarks", "docs")  # folders of programs
# A page, and the sections that may follow it, which may begin on the next line.
CITATION = re.compile(r'(docs/[\w/]+\.md)((?:`?,?\s+(?:and\s+)?"[^"\n]+")*)')

_STEMS = "optim normal general linear regular initial minim maxim vector symmetr local synchron"
BRITISH = re.compile(
    rf"(?i)\b(?:(?:{_STEMS.replace(' ', '|')})is(?:e[ds]?|ing|ations?)|metres?|centres?|grey|"
    r"\w*(?:colour|behaviour|neighbour|modelling)\w*)\b"
)

# What the pages call my_model.osim: an arm with an actuator, one of whose coordinates is locked.
ACTUATOR = """<CoordinateActuator name="motor"><coordinate>r_elbow_flex</coordinate>
<optimal_force>2</optimal_force></CoordinateActuator>"""
MINE = (
    ("<ForceSet>\n      <objects>", ACTUATOR),
    ('<Coordinate name="r_shoulder_elev">', "<locked>true</locked>"),
)

# What they call refused.osim: my_model.osim with two parts that are not simulated.
MILLARD = """<Millard2012AccelerationMuscle name="extra"><GeometryPath name="path"><PathPointSet>
<objects>
<PathPoint name="a"><socket_parent_frame>/ground</socket_parent_frame>
<location>0 0.1 0.15</location></PathPoint>
<PathPoint name="b"><socket_parent_frame>/bodyset/r_humerus</socket_parent_frame>
<location>0 -0.2 0</location></PathPoint>
</objects></PathPointSet></GeometryPath></Millard2012AccelerationMuscle>"""
ROLLING = """<ConstraintSet><objects><RollingOnSurfaceConstraint name="rolling">
<socket_rolling_body>/bodyset/r_humerus</socket_rolling_body>
<socket_surface_body>/ground</socket_surface_body>
</RollingOnSurfaceConstraint></objects></ConstraintSet>"""


@pytest.fixture(scope="module")
def maker():
    path = DOCS / "make_observation_tables.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ENVS)
def test_observation_tables_are_up_to_date(maker, name):
    written = (maker.FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert written == maker.page(name), f"run: {maker.COMMAND}"


def blocks_of(page, language):
    """The code blocks of a page in one language, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the model files that the pages name."""
    folder = tmp_path_factory.mktemp("docs")
    arm = (ROOT / "jaxosim/models/assets/arm2dof6musc.osim").read_text(encoding="utf-8")
    refused = (("<ForceSet>\n      <objects>", MILLARD), ("</JointSet>", ROLLING))
    for name, additions in (("my_model.osim", MINE), ("refused.osim", refused)):
        for before, added in additions:
            assert before in arm
            arm = arm.replace(before, f"{before}\n{added}\n", 1)
        (folder / name).write_text(arm, encoding="utf-8")
    return folder


def run(arguments, folder):
    """The standard output of a process with JAX's usual settings."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("page", PROGRAMS)
def test_programs_of_a_page_run_and_print_what_it_says(page, models, request):
    if any("jaxosim.viewer.image" in program for program in blocks_of(page, "python")):
        request.getfixturevalue("renderer")
    if any("jaxosim.viewer.live" in program for program in blocks_of(page, "python")):
        pytest.importorskip("viser", reason="viser is not installed (extra `view`)")
    if any("import gymnasium" in program for program in blocks_of(page, "python")):
        pytest.importorskip("gymnasium", reason="Gymnasium is not installed (extra `gym`)")
    has_opensim = importlib.util.find_spec("opensim") is not None
    programs = [b for b in blocks_of(page, "python") if has_opensim or "import opensim" not in b]
    printed = run(["-c", "\n".join(programs)], models)
    for expected in blocks_of(page, "text"):
        assert expected in printed


@pytest.mark.parametrize("page", PROGRAMS)
def test_commands_of_a_page_run(page, models):
    lines = [line for block in blocks_of(page, "sh") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("jaxosim ")]
    for line in (line for line in commands if not line.startswith(LASTING)):
        words = shlex.split(line, comments=True)
        assert run(["-m", "jaxosim.cli", *words[1:]], models) is not None


def test_every_page_with_programs_is_run():
    run_here = {getattr(page, "values", (page,))[0] for page in PROGRAMS}
    paths = (ROOT / "README.md", *DOCS.rglob("*.md"))
    names = (str(path.relative_to(ROOT)) for path in paths)
    assert {name for name in names if blocks_of(name, "python")} == run_here | ELSEWHERE


def headings_of(page):
    """The headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return set(re.findall(r"^#+ (.+)$", text, flags=re.M))


def citations_in(text):
    """Page and sections of every citation of the documentation."""
    return [(page, re.findall('"(.+?)"', rest)) for page, rest in CITATION.findall(text)]


def citations():
    """File, page and sections of every citation of the documentation in a program."""
    for path in (path for folder in CITING for path in sorted((ROOT / folder).rglob("*.py"))):
        for page, sections in citations_in(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT), page, sections


def test_every_page_and_section_that_a_program_cites_exists():
    missing = []
    for path, page, sections in citations():
        headings = headings_of(ROOT / page) if (ROOT / page).is_file() else None
        if headings is None:
            missing.append(f"{path}: {page}")
        else:
            missing += [f'{path}: {page}, "{s}"' for s in sections if s not in headings]
    assert missing == []


def test_a_citation_is_a_page_and_the_sections_behind_it():
    text = 'Source: us; see docs/theory/contact.md,\n"Force" and "Early exit". Not "this".'
    assert citations_in(text) == [("docs/theory/contact.md", ["Force", "Early exit"])]
    assert len([path for path, _, sections in citations() if sections]) > 20


def pages():
    """All pages of the documentation that people wrote."""
    yield from sorted(path for path in ROOT.glob("*.md"))
    yield from sorted(DOCS.rglob("*.md"))


def british_words(text):
    """Words in British spelling."""
    return BRITISH.findall(text)


def test_british_spelling_is_recognized():
    assert british_words("normalised colours in the centre") == ["normalised", "colours", "centre"]
    assert british_words("raise normalized colors, otherwise center; parameters") == []


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_a_page_is_in_american_spelling(page):
    assert british_words(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_a_page_names_only_options_that_exist(page):
    calls = re.findall(r"\bOptions\(([^)]*)\)", page.read_text(encoding="utf-8"))
    named = {keyword for call in calls for keyword in re.findall(r"(\w+)=", call)}
    assert named <= {field.name for field in dataclasses.fields(jaxosim.Options)}


def test_every_public_name_has_a_place_in_the_reference():
    pages = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    described = set(re.findall(r"^::: jaxosim\.(\w+)$", pages, flags=re.M))
    errors = {name for name in jaxosim.__all__ if name.endswith("Error")}
    assert set(jaxosim.__all__) - errors - {"StateDerivative"} <= described


def test_the_table_of_supported_classes_names_every_class_that_is_read():
    from jaxosim.constraints import CONSTRAINTS
    from jaxosim.controllers import CONTROLLERS
    from jaxosim.forces import FORCES
    from jaxosim.joints import JOINTS
    from jaxosim.models.osim.functions import FUNCTION_CLASSES
    from jaxosim.muscles import MUSCLES
    from jaxosim.paths.wraps import WRAPS

    modules = (*MUSCLES, *FORCES, *CONSTRAINTS, *CONTROLLERS, *WRAPS)
    read = [tag for one in modules for tag in getattr(one, "TAGS", (getattr(one, "TAG", None),))]
    refused = {"SignalGenerator"}
    classes = {tag for tag in (*read, *JOINTS, *FUNCTION_CLASSES) if tag} - refused
    page = (ROOT / "docs/supported_osim.md").read_text(encoding="utf-8")
    assert len(classes) > 50
    assert [name for name in sorted(classes) if f"`{name}`" not in page] == []
