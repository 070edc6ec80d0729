"""The layout is a promise: floors, no cycles, docstrings, sizes, and a light import."""

import ast
import functools
import importlib
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "jaxosim"

# The law. A module belongs to the longest name here that it starts with, and imports only from
# lower floors, or from its own package. Entries of one floor never import each other, but for the
# floors in ONE_ROOM, whose modules are one subject in several files.
FLOORS = {
    # tools: jax and numpy only
    "jaxosim.arrays": 0,
    "jaxosim.batching": 0,
    "jaxosim.checks": 0,
    "jaxosim.errors": 0,
    "jaxosim.fused": 0,
    "jaxosim.host": 0,
    "jaxosim.osim_rl.constants": 0,
    "jaxosim.pytree": 0,
    "jaxosim.sto.header": 0,
    "jaxosim.sto.table": 0,
    # what a file says, read without numbers being made of it
    "jaxosim.functions": 1,
    "jaxosim.models.compile_functions": 1,
    "jaxosim.models.lookup": 1,
    "jaxosim.models.osim.context": 1,
    "jaxosim.models.osim.frames": 1,
    "jaxosim.models.osim.functions": 1,
    "jaxosim.models.osim.station_defined_frame": 1,
    "jaxosim.models.osim.upgrade": 1,
    "jaxosim.models.osim.values": 1,
    "jaxosim.models.osim.xml": 1,
    "jaxosim.models.spec": 1,
    "jaxosim.structure": 1,
    # one OpenSim class, one module: what the file says of it, its numbers, its law
    "jaxosim.paths.build": 2,
    "jaxosim.paths.build_arms": 2,
    "jaxosim.paths.build_wraps": 2,
    "jaxosim.paths.ellipsoid": 2,
    "jaxosim.paths.function_based_path": 2,
    "jaxosim.paths.params": 2,
    "jaxosim.paths.read": 2,
    "jaxosim.paths.read_wraps": 2,
    "jaxosim.paths.wrap_cylinder": 2,
    "jaxosim.paths.wrap_ellipsoid": 2,
    "jaxosim.paths.wrap_object": 2,
    "jaxosim.paths.wrap_sphere": 2,
    "jaxosim.paths.wrap_torus": 2,
    "jaxosim.paths.wraps": 2,
    "jaxosim.forces.force": 2,
    "jaxosim.constraints": 3,
    "jaxosim.controllers": 3,
    "jaxosim.forces": 3,
    "jaxosim.joints": 3,
    "jaxosim.muscles": 3,
    # all of a model
    "jaxosim.types": 4,
    # reading a whole file (host) and the mechanics of the tree (device)
    "jaxosim.models": 5,
    "jaxosim.dynamics": 5,
    # the paths and muscles of a whole model
    "jaxosim.muscles.rows": 6,
    "jaxosim.state_variables": 6,
    "jaxosim.paths": 6,
    # a whole model, at an instant and over time, and the files of the field
    "jaxosim.integrators": 7,
    "jaxosim.outputs": 7,
    "jaxosim.randomize": 7,
    "jaxosim.simulation": 7,
    "jaxosim.sto": 7,
    "jaxosim.system": 7,
    # tasks
    "jaxosim.envs": 8,
    "jaxosim.opensim": 8,
    # adapters
    "jaxosim.host.compilation_cache": 9,
    "jaxosim.learning": 9,
    "jaxosim.viewer": 9,
    "jaxosim.adapters": 10,
    "jaxosim.osim_rl": 10,
    # entry points
    "jaxosim": 11,
    "jaxosim.cli": 11,
    "jaxosim.host.cores": 11,
    "jaxosim.gym_api": 11,
    "jaxosim.serve": 11,
}
ONE_ROOM = {0, 1, 2, 7, 11}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
OPTIONAL_PACKAGES = (
    "opensim",
    "brax",
    "gymnasium",
    "gymnax",
    "pytest",
    "hypothesis",
    "matplotlib",
    "pyvista",
    "vtk",
    "viser",
    "imageio",
    "trimesh",
    "starlette",
    "uvicorn",
    "sqlalchemy",
)
PUBLIC_API = {
    "BatchEnv",
    "Env",
    "EnvState",
    "JaxosimError",
    "MissingExtraError",
    "Model",
    "ModelMismatchError",
    "Options",
    "OsimFormatError",
    "Params",
    "State",
    "StateDerivative",
    "StateDescription",
    "TableFormatError",
    "UnsupportedComponentError",
    "bundled_models",
    "describe",
    "equilibrate_muscles",
    "find_equilibrium",
    "initial_state",
    "load_model",
    "load_state",
    "make",
    "register",
    "batched",
    "rollout",
    "save_state",
    "state_derivative",
    "step",
    "to_dict",
    "use_compilation_cache",
    "use_cpu_devices",
    "world_mesh",
    "world_sharding",
}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# Rooms that stand on an extra: nothing else of ours imports them.
NEEDS_EXTRA = {
    "jaxosim.adapters.brax": "brax",
    "jaxosim.adapters.gymnasium": "gymnasium",
    "jaxosim.adapters.gymnax": "gymnax",
    "jaxosim.opensim": "opensim",
    "jaxosim.serve": "starlette",
}
# Classes of OpenSim that only their own module, of the same name, knows.
OWN_CLASSES = {
    "HuntCrossleyForce": "jaxosim.forces.hunt_crossley_",
    "CoordinateLimitForce": "jaxosim.forces.coordinate_limit_force",
    "SpringGeneralizedForce": "jaxosim.forces.spring_generalized_force",
    "PathSpring": "jaxosim.forces.path_spring",
    "FunctionBasedPath": "jaxosim.paths.function_based_path",
    "ExpressionBasedFunction": "jaxosim.functions.expression_based_function",
    "ExpressionBasedPathForce": "jaxosim.forces.expression_based_path_force",
    "PrescribedForce": "jaxosim.forces.prescribed_force",
    "ElasticFoundationForce": "jaxosim.forces.elastic_foundation_force",
    "ExternalForce": "jaxosim.forces.external_force",
    "SmoothSphereHalfSpaceForce": "jaxosim.forces.smooth_sphere_half_space_force",
    "CoordinateActuator": "jaxosim.forces.coordinate_actuator",
    "BushingForce": "jaxosim.forces.bushing_force",
    "ExpressionBasedCoordinateForce": "jaxosim.forces.expression_based_coordinate_force",
    "ExpressionBasedPointToPointForce": "jaxosim.forces.expression_based_point_to_point_force",
    "PointToPointSpring": "jaxosim.forces.point_to_point_spring",
    "FunctionBasedBushingForce": "jaxosim.forces.function_based_bushing_force",
    "ExpressionBasedBushingForce": "jaxosim.forces.expression_based_bushing_force",
    "ActivationCoordinateActuator": "jaxosim.forces.activation_coordinate_actuator",
    "TorqueActuator": "jaxosim.forces.torque_actuator",
    "PointActuator": "jaxosim.forces.point_actuator",
    "BodyActuator": "jaxosim.forces.body_actuator",
    "PathActuator": "jaxosim.forces.path_actuator",
    "Ligament": "jaxosim.forces.ligament",
    "PointToPointActuator": "jaxosim.forces.point_to_point_actuator",
    "ClutchedPathSpring": "jaxosim.forces.clutched_path_spring",
    "Blankevoort1991Ligament": "jaxosim.forces.blankevoort1991_ligament",
    "ToyReflexController": "jaxosim.controllers.toy_reflex_controller",
    "ControlSetController": "jaxosim.controllers.control_set_controller",
    "PrescribedController": "jaxosim.controllers.prescribed_controller",
    "CoordinateCouplerConstraint": "jaxosim.constraints.coordinate_coupler_constraint",
}
# Functions of one component that the viewer or the reader of files calls.
CALLED_BY_NAME = {"contact_wrenches", "of_joints"}
# It gives old names of classes their new ones.
# Where OpenSim changes old files of one class alone.
MAY_NAME_A_CLASS_OF_FORCES = {"jaxosim.models.osim.upgrade"}
MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
each_module = pytest.mark.parametrize("name", MODULES)


@functools.cache
def tree_of(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def entry_of(name):
    """The entry of FLOORS that a module belongs to."""
    parts = name.split(".")
    for length in range(len(parts), 1, -1):
        if ".".join(parts[:length]) in FLOORS:
            return ".".join(parts[:length])
    return "jaxosim" if name == "jaxosim" else None


def extra_of(name):
    """The optional package that a module needs, or None."""
    rooms = [room for room in NEEDS_EXTRA if f"{name}.".startswith(f"{room}.")]
    return NEEDS_EXTRA[rooms[0]] if rooms else None


@functools.cache
def imports_of(name):
    """The modules of ours that a module imports anywhere, also within functions."""
    found = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import; write the full name"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            inside = submodules & MODULES.keys()
            found |= inside
            if len(inside) < len(submodules):
                found.add(node.module)
    return {module for module in found if module.split(".")[0] == "jaxosim"} - {name}


@each_module
def test_every_module_has_a_floor(name):
    assert entry_of(name) is not None, f"{name} is not in FLOORS: on which floor does it stand?"


@each_module
def test_imports_go_down(name):
    here = entry_of(name)
    for imported in imports_of(name):
        there = entry_of(imported)
        assert there is not None, f"{name} imports {imported}, which has no floor"
        allowed = (
            here == there
            or FLOORS[there] < FLOORS[here]
            or (FLOORS[there] == FLOORS[here] and FLOORS[here] in ONE_ROOM)
        )
        assert allowed, f"{name} (floor {FLOORS[here]}) imports {imported} (floor {FLOORS[there]})"


def test_no_test_module_imports_another():
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            last = (module or "").rpartition(".")[2]
            assert not (module or "").startswith("tests.") or not last.startswith("test_"), path


def test_there_are_no_import_cycles():
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done or name not in MODULES:
            return
        path.append(name)
        for imported in sorted(imports_of(name)):
            visit(imported)
        done.add(path.pop())

    for name in MODULES:
        visit(name)


@each_module
def test_everything_public_has_a_docstring(name):
    def undocumented(node, prefix):
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if child.name.startswith("_"):
                continue
            if ast.get_docstring(child) is None:
                yield f"{prefix}.{child.name}"
            if isinstance(child, ast.ClassDef):
                yield from undocumented(child, f"{prefix}.{child.name}")

    assert ast.get_docstring(tree_of(name)), f"{name} has no module docstring"
    assert list(undocumented(tree_of(name), name)) == []


@each_module
def test_files_and_functions_are_short(name):
    lines = MODULES[name].read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_FILE_LINES, f"{name}: {lines} lines"
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{name}.{node.name}: {length} lines"


@each_module
def test_laws_leave_global_settings_alone(name):
    if FLOORS[entry_of(name)] < FLOORS["jaxosim.viewer"]:
        source = MODULES[name].read_text(encoding="utf-8")
        assert "jax.config" not in source, f"{name} touches jax.config"


LAWS = (
    "constraints",
    "controllers",
    "dynamics",
    "forces",
    "functions",
    "joints",
    "muscles",
    "paths",
)
BARRIERS = ("materialize", "batch_minor", "optimization_barrier", "with_layout_constraint")


@each_module
def test_laws_leave_the_layout_of_arrays_to_the_stage_decorator(name):
    if name.split(".")[1:2] and name.split(".")[1] in LAWS:
        found = [word for word in BARRIERS if word in MODULES[name].read_text(encoding="utf-8")]
        assert not found, f"{name} calls {found}: decorate the function with arrays.layout.stage"


# Classes of muscles are named by their own modules, by Params, which has a field for each, and by
# the changes of old files that OpenSim makes to this class alone.
MAY_NAME_A_MUSCLE_CLASS = {"jaxosim.models.osim.upgrade", "jaxosim.types"}


@functools.cache
def muscle_classes():
    """The words by which modules could name a class of muscles."""
    from jaxosim.muscles import MUSCLES

    return {word.lower() for muscle in MUSCLES for word in (*muscle.TAGS, muscle.FIELD)}


@each_module
def test_no_module_outside_muscles_names_a_class_of_muscles(name):
    if name.startswith("jaxosim.muscles") or name in MAY_NAME_A_MUSCLE_CLASS:
        return
    source = MODULES[name].read_text(encoding="utf-8").lower()
    named = sorted(word for word in muscle_classes() if word in source)
    assert not named, f"{name} names {named}: what every class has stands in muscles/muscle.py"


@functools.cache
def strings_and_names(name):
    """What a module says to the interpreter, a line each: its names and strings, not its prose."""
    nodes = list(ast.walk(tree_of(name)))
    prose = {
        id(node.body[0].value)
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and ast.get_docstring(node) is not None
    }
    said = []
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            said.append(node.value)
        elif isinstance(node, ast.Name):
            said.append(node.id)
        elif isinstance(node, ast.Attribute):
            said.append(node.attr)
        elif isinstance(node, ast.alias):
            said.append(node.name)
    return "\n".join(said)


@pytest.mark.parametrize("opensim_class", OWN_CLASSES)
def test_a_class_of_forces_is_known_to_its_own_module_only(opensim_class):
    home = OWN_CLASSES[opensim_class]
    word = re.compile(f"(?<![A-Za-z0-9]){opensim_class}")  # not the end of another class's name
    knowing = {name for name in MODULES if word.search(strings_and_names(name))}
    assert any(name.startswith(home) for name in knowing)
    assert {name for name in knowing if not name.startswith(home)} <= MAY_NAME_A_CLASS_OF_FORCES


@pytest.mark.parametrize("kind", ["forces", "constraints", "controllers"])
def test_public_functions_of_components_are_those_that_their_package_lists(kind):
    """Some may be left out, so that one under another name would count as left out."""
    package = importlib.import_module(f"jaxosim.{kind}")
    listed = set(re.findall(r"`(\w+)`", package.__doc__ or ""))
    for component in getattr(package, kind.upper()):
        own = inspect.getmembers(component, inspect.isfunction)
        public = {n for n, f in own if f.__module__ == component.__name__ and n[0] != "_"}
        assert public - listed <= CALLED_BY_NAME, component.__name__


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()


def test_import_starts_no_backend_and_no_optional_package():
    everything = [
        name for name in MODULES if not name.endswith("__main__") and extra_of(name) is None
    ]
    code = f"""
import importlib, sys
for name in {everything!r}:
    importlib.import_module(name)
from jax._src import xla_bridge
print(xla_bridge.backends_are_initialized(), [p for p in {OPTIONAL_PACKAGES!r} if p in sys.modules])
"""
    assert run_python(code) == "False []"


def test_modules_that_the_guides_name_are_found_after_one_import():
    code = "import jaxosim; print(jaxosim.randomize.mass.__name__, jaxosim.sto.read_table.__name__)"
    assert run_python(code) == "mass read_table"


def test_import_changes_no_setting():
    code = """
import jax
before = dict(jax.config.values)
import jaxosim.cli.main
assert before == {key: jax.config.values[key] for key in before}
import numpy
print(numpy.get_printoptions()["precision"], jax.config.jax_enable_x64)
"""
    assert run_python(code) == "8 False"


def test_public_names_resolve_and_are_what_we_promised():
    import jaxosim

    assert len(jaxosim.__all__) == len(set(jaxosim.__all__))
    assert [name for name in jaxosim.__all__ if not hasattr(jaxosim, name)] == []
    # A change here is a change of API: say so in CHANGELOG.md.
    assert set(jaxosim.__all__) == PUBLIC_API


@pytest.mark.parametrize("name", [name for name in MODULES if "." in name])
def test_every_all_resolves(name):
    import importlib

    if extra_of(name) is not None:
        pytest.importorskip(extra_of(name), reason=f"{extra_of(name)} is not installed")
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names))
    assert [public for public in names if not hasattr(module, public)] == []
