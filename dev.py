#!/usr/bin/env python3
"""Sets everything up in `.venv`, then runs the main job or the checks; needs Python 3.11+ only.

  python3 dev.py run                 roll out 256 prosthetic walkers for one second
  python3 dev.py run ARGUMENTS...    the same environment, any `jaxosim` command
  python3 dev.py check               lint, formatting, types, tests with live OpenSim parity
  python3 dev.py check ARGUMENTS...  the same, arguments go to pytest
  python3 dev.py thorough            tests that `check` leaves out to save time; CI runs them too
  python3 dev.py thorough ARGUMENTS... the same, arguments go to pytest
  python3 dev.py oldest              some tests, and Brax's PPO, with the oldest JAX we support
  python3 dev.py oldest ARGUMENTS... the same environment, arguments go to pytest
  python3 dev.py newest              the same tests with the newest JAX, on Python 3.12 or later
  python3 dev.py newest ARGUMENTS... the same environment, arguments go to pytest
  python3 dev.py optimized           some tests, with programs compiled as users compile them
  python3 dev.py optimized ARGUMENTS... the same, arguments go to pytest
  python3 dev.py docs                build the documentation into site/; warnings are errors
  python3 dev.py docs ARGUMENTS...   the same environment, any `mkdocs` command, such as serve

The environment is built on the first call and reused until pyproject.toml changes; `oldest`,
`newest` and `docs` have their own, `.venv-oldest` and so on. Standard library only, and readable by
any Python 3, so that an old one gets a message and not a syntax error.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent
# These have environments of their own.
APART = (["oldest"], ["newest"], ["docs"])
VENV = ROOT / (".venv-" + sys.argv[1] if sys.argv[1:2] in APART else ".venv")
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "jaxosim-setup.json"
OLDEST_PYTHON = (3, 11)
CHECK_EXTRAS = ["dev", "rejax", "skrl", "opensim", "view", "video", "plot", "serve"]
# Brax needs an old JAX anyway; and here gymnax is the newest, which rejax cannot take.
OLDEST_EXTRAS = ["test", "brax", "gymnax"]
OLDEST_TESTS = [
    *["tests/fused/test_rules.py", "tests/fused/test_transform.py"],
    *[
        "tests/arrays/test_indexing.py",
        "tests/dynamics/test_multibody.py",
        "tests/envs/test_batch.py",
    ],
    *["tests/adapters/test_brax.py", "tests/adapters/test_gymnax.py"],
    *["tests/test_training.py", "tests/test_write_your_own_task.py"],
]
# The newest JAX has no wheels for the oldest Python.
NEWEST_PYTHON = (3, 12)
SKIPPED = 77  # exit status of `newest` where no such Python is found, as in Automake's tests
NEWEST_EXTRAS = ["test", "gym"]
NEWEST_TESTS = [
    *["tests/fused/test_rules.py", "tests/fused/test_transform.py"],
    *["tests/arrays/test_indexing.py", "tests/dynamics/test_multibody.py"],
    *["tests/envs/test_batch.py", "tests/host/test_compilation_cache.py"],
]
THOROUGH = "thorough and not slow"
# XLA's optimizations may reorder arithmetic; the other runs leave them out to save time.
OPTIMIZED_TESTS = ["tests/arrays", "tests/test_batching.py", "tests/parity/test_state_parity.py"]
DOCS_EXTRAS = ["docs"]
BUILD_DOCS = ["build", "--strict", "--clean"]
MAIN_JOB = ["rollout", "gait14dof22musc_pros", "--batch", "256", "--seconds", "1"]
# What the Linux wheel of opensim takes from the system (seen with ldd), as Debian names it.
OPENSIM_SYSTEM_PACKAGES = ["libgl1", "libice6", "libsm6", "libx11-6", "libxext6"]
# Drawing without a display, and the browser of the viewer's tests.
VIEWER_SYSTEM_PACKAGES = ["chromium", "libegl1", "libegl-mesa0", "libgl1", "libosmesa6"]


def main(arguments):
    """Dispatches the commands; returns the exit status."""
    if sys.version_info < OLDEST_PYTHON:
        return restart_with_newer_python(OLDEST_PYTHON)
    os.chdir(ROOT)
    if arguments[:1] == ["run"]:
        set_up(extras=[])
        return call([PYTHON, "-m", "jaxosim.cli"] + (arguments[1:] or MAIN_JOB))
    if arguments[:1] == ["check"]:
        set_up(extras=CHECK_EXTRAS)
        return check(arguments[1:])
    if arguments[:1] == ["thorough"]:
        set_up(extras=CHECK_EXTRAS)
        return call([*parallel_pytest(), "-m", THOROUGH, *arguments[1:]])
    if arguments[:1] == ["oldest"]:
        set_up(extras=OLDEST_EXTRAS, pins=lowest_requirements())
        chosen = arguments[1:] or ["-m", "not slow or trainer", *OLDEST_TESTS]
        return call([PYTHON, "-m", "pytest", *chosen])
    if arguments[:1] == ["newest"]:
        if sys.version_info < NEWEST_PYTHON:
            return restart_with_newer_python(NEWEST_PYTHON, missing=SKIPPED)
        set_up(extras=NEWEST_EXTRAS)
        return call([PYTHON, "-m", "pytest", *(arguments[1:] or ["-m", "not slow", *NEWEST_TESTS])])
    if arguments[:1] == ["optimized"]:
        set_up(extras=CHECK_EXTRAS)
        environment = dict(os.environ, JAXOSIM_TESTS_OPTIMIZED="1")
        chosen = arguments[1:] or ["-m", "not slow", *OPTIMIZED_TESTS]
        return call([PYTHON, "-m", "pytest", *chosen], env=environment)
    if arguments[:1] == ["docs"]:
        set_up(extras=DOCS_EXTRAS)
        return call([PYTHON, "-m", "mkdocs", *(arguments[1:] or BUILD_DOCS)])
    print((__doc__ or "").strip())
    return 0 if arguments in (["-h"], ["--help"]) else 2


def check(pytest_arguments):
    """Runs every check, also after one has failed; returns 1 if any did."""
    opensim_works = check_opensim()
    if sys.platform == "linux" and not shutil.which("chromium"):
        install_system_packages(VIEWER_SYSTEM_PACKAGES)  # without them the viewer's tests skip
    if not opensim_works and os.environ.get("CI"):
        return 1  # CI must not pass with its parity tests skipped
    module = [PYTHON, "-m"]
    steps = {
        "ruff check": [*module, "ruff", "check", "."],
        "ruff format": [*module, "ruff", "format", "--check", "."],
        "pytest": [*parallel_pytest(), *pytest_arguments],
    }
    pyright = [str(part) for part in (*module, "pyright", "--pythonpath", PYTHON)]
    with tempfile.TemporaryFile() as said, subprocess.Popen(pyright, stdout=said) as checker:
        failed = []
        for name, command in steps.items():
            say(name)
            if call(command) != 0:
                failed.append(name)
        say("pyright")  # one process beside the others, which often wait
        if checker.wait() != 0:
            failed.append("pyright")
        said.seek(0)
        print(said.read().decode(errors="replace"), flush=True)
    if failed:
        say("FAILED: " + ", ".join(failed))
    return 1 if failed else 0


def parallel_pytest():
    """The command; tests of one file share what they compile, so a file stays in one process."""
    workers = str(min(os.cpu_count() or 1, 4))
    return [PYTHON, "-m", "pytest", "-n", workers, "--dist", "loadfile"]


def set_up(extras, pins=()):
    """Makes VENV hold the package, the extras and the pins; does nothing when it already does."""
    wanted = {"fingerprint": fingerprint(), "extras": sorted(extras)}
    done = read_stamp()
    if done.get("fingerprint") == wanted["fingerprint"] and environment_runs():
        if set(wanted["extras"]) <= set(done["extras"]):
            return
        wanted["extras"] = sorted({*extras, *done["extras"]})
    else:
        create_environment()
    say("installing jaxosim and its dependencies (once; a few minutes)")
    requirement = ".[{}]".format(",".join(wanted["extras"])) if wanted["extras"] else "."
    options = ["--quiet", "--disable-pip-version-check"]
    if call([*pip_command(), "install", *options, "--editable", requirement, *pins]) != 0:
        sys.exit("dev.py: pip could not install the dependencies (see above)")
    STAMP.write_text(json.dumps(wanted), encoding="utf-8")


def lowest_requirements():
    """The dependencies in pyproject.toml, each pinned to the lowest version that it allows."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    dependencies = text.split("\ndependencies = [", 1)[1].split("\n]", 1)[0]
    return [found.replace(">=", "==") for found in re.findall('"([^"]+)"', dependencies)]


def fingerprint():
    """What the environment depends on: the requirements, the Python, and where the clone lies."""
    parts = [(ROOT / "pyproject.toml").read_text(encoding="utf-8"), sys.version, str(ROOT)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def read_stamp():
    """What the last complete setup wrote, or an empty record."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def environment_runs():
    """Whether the environment's Python still starts (its base may have been removed)."""
    return PYTHON.exists() and call([PYTHON, "-c", ""]) == 0


def create_environment():
    """Makes an empty `.venv`, with its own pip where this Python can give it one."""
    if VENV.exists() and not STAMP.exists():
        sys.exit("dev.py: " + VENV.name + " was not made by dev.py; move it away, then try again")
    say("creating " + VENV.name + " with Python " + ".".join(map(str, sys.version_info[:3])))
    shutil.rmtree(str(VENV), ignore_errors=True)
    VENV.mkdir()
    STAMP.write_text("{}", encoding="utf-8")  # ours from now on, also when interrupted
    if not module_exists("ensurepip") and not pip_installs_elsewhere():
        install_debian_venv()
    options = [] if module_exists("ensurepip") else ["--without-pip"]
    if call([sys.executable, "-m", "venv", *options, VENV]) != 0:
        sys.exit("dev.py: could not create " + VENV.name)


def pip_command():
    """The environment's own pip, else this Python's, told to install into the environment."""
    if call([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL) == 0:
        return [PYTHON, "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", str(PYTHON)]


def pip_installs_elsewhere():
    """Whether this Python has a pip that knows `--python` (22.3 or later)."""
    command = [sys.executable, "-m", "pip", "--python", sys.executable, "--version"]
    return call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def install_debian_venv():
    """Installs what Debian leaves out of its Python, or says how to."""
    package = "python{}.{}-venv".format(*sys.version_info[:2])
    if not install_system_packages([package]):
        sys.exit(
            "dev.py: this Python has neither ensurepip nor a recent pip, so it cannot make an "
            "environment. On Debian or Ubuntu: sudo apt install " + package
        )


def check_opensim():
    """Whether OpenSim imports; installs its system libraries where that is possible."""
    probe = [PYTHON, "-c", "import opensim"]
    result = subprocess.run(probe, check=False, capture_output=True, text=True, cwd=VENV)
    if result.returncode != 0 and "cannot open shared object" in result.stderr:
        install_system_packages(OPENSIM_SYSTEM_PACKAGES)
        result = subprocess.run(probe, check=False, capture_output=True, text=True, cwd=VENV)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        say("OpenSim does not import (" + reason + "): live parity tests will be skipped")
    return result.returncode == 0


def install_system_packages(packages):
    """Installs Debian packages when run as root on such a system; returns whether it did."""
    if not shutil.which("apt-get") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        print("dev.py: missing system packages: " + " ".join(packages), file=sys.stderr)
        return False
    say("installing system packages: " + " ".join(packages))
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages]
    call(["apt-get", "update", "-qq"], env=environment)
    return call(install, env=environment, stdout=subprocess.DEVNULL) == 0


def restart_with_newer_python(least, missing=1):
    """Runs this file again with a Python that is new enough: one on the PATH, or one of pyenv."""
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    for minor in [number for number in (13, 12, 11, 14) if number >= least[1]]:
        name = "python3." + str(minor)
        installed = sorted(pyenv.glob("versions/3." + str(minor) + ".*/bin/" + name))
        for newer in [name, *installed]:
            if shutil.which(str(newer)) and call([newer, "-c", ""], stderr=subprocess.DEVNULL) == 0:
                return call([newer, __file__, *sys.argv[1:]])
    found = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, least))
    print("dev.py: needs Python " + wanted + " or later, this is " + found, file=sys.stderr)
    return missing


def module_exists(name):
    """Whether this Python can import the module (asked of a fresh process, not of a cache)."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec({!r}) is None)"
    return call([sys.executable, "-c", code.format(name)]) == 0


def call(command, **options):
    """Runs a command, its output shown; returns its exit status."""
    return subprocess.call([str(part) for part in command], **options)


def say(text):
    """Prints a heading at once, so that it stands before the output of the command it names."""
    print("== " + text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
