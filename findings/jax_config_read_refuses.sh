#!/usr/bin/env bash
# jax.config.read refuses most of the options that jax.config.update sets.
#
# Version: jax and jaxlib 0.10.2 on the CPU backend, numpy 2.4.6, Python 3.11. 0.10.2 is also the
#   newest that Python 3.11 installs. jax 0.12.0.1, on Python 3.13 and numpy 2.5.5, gives the same
#   output.
# Expected: read(name) returns what update(name, value) has set. Where the error's words are the
#   rule, it refuses the options that have a context manager.
# Observed: read("jax_compilation_cache_dir") raises AttributeError, although update has just set
#   the option, the attribute of jax.config has the value and there is no context manager
#   jax.compilation_cache_dir. read("jax_enable_x64") returns the value, although jax.enable_x64 is
#   a context manager. The error speaks of config.FLAGS, which the caller has not used.
#   hasattr(jax.config, name) is true for all of them, so code that reads options by a name that is
#   a variable needs getattr.
# Output seen:
#   option                     attribute  context manager  read
#   jax_compilation_cache_dir  'cache'    no               AttributeError
#   jax_platforms              'cpu'      no               AttributeError
#   jax_debug_nans             True       yes              AttributeError
#   jax_enable_x64             True       yes              True
#   For flags with a corresponding contextmanager, read their value via e.g.
#   `config.jax_compilation_cache_dir` rather than `config.FLAGS.jax_compilation_cache_dir`.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
"$work/venv/bin/python" - <<'PY'
import sys

import jax

VALUES = {
    "jax_compilation_cache_dir": "cache",
    "jax_platforms": "cpu",
    "jax_debug_nans": True,
    "jax_enable_x64": True,
}
messages = []
seen = {}
print("jax", jax.__version__)
print(f"{'option':26} {'attribute':10} {'context manager':16} read")
for name, value in VALUES.items():
    jax.config.update(name, value)
    try:
        read = repr(jax.config.read(name))
    except AttributeError as error:
        messages.append(str(error))
        read = type(error).__name__
    attribute = getattr(jax.config, name)
    manager = "yes" if hasattr(jax, name.removeprefix("jax_")) else "no"
    print(f"{name:26} {attribute!r:10} {manager:16} {read}")
    if attribute != value:
        sys.exit("changed: the attribute has another value")
    seen[name] = manager, read
print(*messages[:1])
expected = {
    "jax_compilation_cache_dir": ("no", "AttributeError"),
    "jax_platforms": ("no", "AttributeError"),
    "jax_debug_nans": ("yes", "AttributeError"),
    "jax_enable_x64": ("yes", "True"),
}
if seen != expected:
    sys.exit("changed: another set of these options is read")
PY
