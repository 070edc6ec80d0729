"""Settings of every test: double precision, and no silent promotion of ranks or dtypes.

Most of a run is compiling programs that are called once, so XLA's costly optimizations are off,
and its newer emitters of fused loops, which take twice as long; so are LLVM's search for the best
registers and order of a kernel's instructions. `JAXOSIM_TESTS_OPTIMIZED=1` runs the same tests
with programs as users compile them, in several times the time.
Compiled programs are kept between runs in pytest's cache directory, so a test that measures compile
time has to do so in a process of its own.

The default run has the parity of every class, what is refused, and the laws of what bundled models
use, once each; other laws, and laws once more, are `thorough`. CONTRIBUTING.md says which.
"""

import gc
import importlib.util
import os
import shutil
import subprocess
import sys

import chex
import jax
import pytest

CHROMIUM_FLAGS = [
    "--no-sandbox",  # the tests may run as root
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
gc.set_threshold(100_000, 50, 100)  # tracing makes many small objects: a tenth of a run otherwise
if not os.environ.get("JAXOSIM_TESTS_OPTIMIZED"):
    llvm = importlib.util.find_spec("llvmlite") and importlib.import_module("llvmlite.binding")
    if llvm:  # neither changes what a kernel computes
        llvm.set_option("tests", "--regalloc=basic")
        llvm.set_option("tests", "--enable-misched=false")
    jax.config.update("jax_disable_most_optimizations", True)
    if jax.__version_info__ < (0, 11):  # later ones end the process at an unknown flag
        flags = os.environ.get("XLA_FLAGS", "")  # read when the first program is compiled
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_use_fusion_emitters=false"


def pytest_configure(config):
    cache = getattr(config, "cache", None)  # absent under -p no:cacheprovider
    if cache is not None:
        jax.config.update("jax_compilation_cache_dir", str(cache.mkdir("jax")))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
        os.environ.setdefault("JAXOSIM_CACHE_DIR", str(cache.mkdir("jaxosim")))


def pytest_collection_modifyitems(items):
    skips = {}
    if importlib.util.find_spec("opensim") is None:
        skips["opensim"] = pytest.mark.skip(reason="OpenSim is not installed (extra `opensim`)")
    if any("gpu" in item.keywords for item in items) and jax.default_backend() == "cpu":
        skips["gpu"] = pytest.mark.skip(reason="no accelerator")
    for item in items:
        for marker, skip in skips.items():
            if marker in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def opensim():
    """The live OpenSim, quiet, its log file kept out of the clone; skips where it is missing."""
    pytest.importorskip("jaxosim.opensim.library", exc_type=ImportError)
    from jaxosim.opensim.library import opensim

    return opensim


@pytest.fixture(scope="module", autouse=True)
def opensims_own_defaults():
    """What files of one module say in `<defaults>` is not in force in the next one."""
    yield
    if "opensim" in sys.modules:
        from jaxosim.opensim.library import restore_defaults

        restore_defaults()


@pytest.fixture(scope="module", autouse=True)
def traces_counted_anew():
    """Chex counts traces by a function's source and its callers' names, which modules share."""
    chex.clear_trace_counter()


@pytest.fixture(scope="session")
def renderer():
    """Skips where VTK cannot draw; asked of another process, which a broken driver may kill."""
    pytest.importorskip("pyvista", reason="PyVista is not installed (extra `video`)")
    code = "import os; os.environ.pop('DISPLAY', None)\nimport pyvista as p\n"
    code += "q = p.Plotter(off_screen=True, window_size=(64, 64)); q.add_mesh(p.Sphere())\n"
    code += "assert q.screenshot(return_img=True).std() > 0"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("VTK cannot draw here: " + (done.stderr.strip().splitlines() or ["?"])[-1])


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, headless; Playwright runs an event loop in this thread until it ends."""
    pytest.importorskip("viser", reason="viser is not installed (extra `view`)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("no `chromium` on the PATH (Debian's package of this name)")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()
