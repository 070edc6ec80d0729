#!/usr/bin/env bash
# The search for infinities stops at a constant inside isinf and hypot, where all values are finite.
#
# Version: jax and jaxlib 0.10.2 on the CPU backend, numpy 2.4.6, Python 3.11. 0.10.2 is also the
#   newest that Python 3.11 installs. jax 0.12.0.1, on Python 3.13 and numpy 2.5.5, gives the same
#   table, and some of its errors name the operation stage.
# Expected: jax.debug_infs ends a computation that gives an infinity. hypot(3, 4) is 5 and
#   isinf(3) is False, so these calls pass in every mode, as they do under jax.debug_nans.
# Observed: a plain call passes. Within jax.ensure_compile_time_eval, and within jax.disable_jit,
#   which one adds to find the operation at fault, hypot, isinf and nan_to_num raise for finite
#   arguments: they compare with an infinity that they make by an operation of their own, and that
#   is taken for the fault. isposinf raises in a plain call as well. isfinite and linalg.norm pass
#   in all modes. Within jax.ensure_compile_time_eval the outcome depends on what was called before:
#   after one such call without debug_infs, the first three no longer raise there ("repeated").
# Output seen (raises: FloatingPointError: invalid value (inf) encountered in
#   convert_element_type):
#               plain     compile_time_eval  disable_jit  repeated
#   hypot       5.0       raises             raises       5.0
#   isinf       False     raises             raises       False
#   nan_to_num  3.0       raises             raises       3.0
#   isposinf    raises    raises             raises       raises
#   isfinite    True      True               True         True
#   norm        5.0       5.0                5.0          5.0
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
JAX_PLATFORMS=cpu "$work/venv/bin/python" - <<'PY'
import contextlib
import sys

import jax
import jax.numpy as jnp

MODES = {
    "plain": contextlib.nullcontext,
    "compile_time_eval": jax.ensure_compile_time_eval,
    "disable_jit": jax.disable_jit,
}
CALLS = {
    "hypot": lambda: jnp.hypot(3.0, 4.0),
    "isinf": lambda: jnp.isinf(3.0),
    "nan_to_num": lambda: jnp.nan_to_num(3.0),
    "isposinf": lambda: jnp.isposinf(3.0),
    "isfinite": lambda: jnp.isfinite(3.0),
    "norm": lambda: jnp.linalg.norm(jnp.array([3.0, 4.0])),
}


def outcome(call, mode):
    with mode():
        try:
            return str(call())
        except FloatingPointError as error:
            reasons.add(f"{type(error).__name__}: {str(error).splitlines()[0]}")
            return "raises"


reasons = set()
seen = {}
print(f"jax {jax.__version__:7} {'plain':9} {'compile_time_eval':18} {'disable_jit':12} repeated")
for name, call in CALLS.items():
    with jax.debug_infs(True):
        row = [outcome(call, mode) for mode in MODES.values()]
    with jax.debug_nans(True):
        passes = [outcome(call, mode) for mode in MODES.values()]
    if "raises" in passes or len(set(passes)) != 1:
        sys.exit(f"changed: {name} raises under debug_nans")
    with jax.debug_infs(True):
        row.append(outcome(call, jax.ensure_compile_time_eval))
    print(f"{name:11} {row[0]:9} {row[1]:18} {row[2]:12} {row[3]}")
    seen[name] = row
print("raises:", *reasons)
R = "raises"
expected = {
    "hypot": ["5.0", R, R, "5.0"],
    "isinf": ["False", R, R, "False"],
    "nan_to_num": ["3.0", R, R, "3.0"],
    "isposinf": [R] * 4,
    "isfinite": ["True"] * 4,
    "norm": ["5.0"] * 4,
}
if seen != expected:
    sys.exit("changed: another set of these calls raises")
PY
