#!/usr/bin/env bash
# A NumPy constant used in one precision mode cannot be compiled in the other mode.
#
# Version: jax and jaxlib 0.10.2 on the CPU backend, numpy 2.4.6, Python 3.11. 0.10.2 is also the
#   newest that Python 3.11 installs. jax 0.12.0.1, on Python 3.13 and numpy 2.5.5, gives the same
#   output.
# Expected: jax.enable_x64 is part of the key under which compiled code is kept, so a function
#   that is called in one mode and then in the other is traced and compiled again and runs in
#   both.
# Observed: where the function closes over a 64-bit NumPy array, the second compilation fails. JAX
#   keeps what it made of the array in the first mode, by the identity of the array: a second
#   function that uses the same array fails too, whereas a copy of the array serves, as does a
#   32-bit array. Numbers in the array end in an error of the compiler's verifier, indices in a
#   TypeError from JAX.
# Output seen:
#   float64 array, x64 on after off: ValueError: Cannot lower jaxpr with verifier errors:
#   float64 array, another function: ValueError: Cannot lower jaxpr with verifier errors:
#   int64 indices, x64 on after off: TypeError: lax.add requires arguments to have the same
#   dtypes, got int32, int64. (followed by a tip to use jnp.add)
#   float64 array, a copy of it: fine
#   float32 array, x64 on after off: fine
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
JAX_PLATFORMS=cpu "$work/venv/bin/python" - <<'PY'
import sys

import jax
import numpy as np

x = np.ones(3, np.float32)


def report(name, function):
    with jax.enable_x64(True):
        try:
            function(x)
            outcome = "fine"
        except (TypeError, ValueError) as error:
            outcome = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    print(f"{name}: {outcome}")
    return outcome == "fine"


factors, single, places = np.array([1.0, 2.0, 3.0]), np.ones(3, np.float32), np.array([0, 2])
scale = jax.jit(lambda x: x * factors)
scale_single = jax.jit(lambda x: x * single)
pick = jax.jit(lambda x: x[places])
with jax.enable_x64(False):
    for function in (scale, scale_single, pick):
        function(x)

fails = [
    report("float64 array, x64 on after off", scale),
    report("float64 array, another function", jax.jit(lambda x: 1 + x * factors)),
    report("int64 indices, x64 on after off", pick),
]
serves = [
    report("float64 array, a copy of it", jax.jit(lambda x: x * factors.copy())),
    report("float32 array, x64 on after off", scale_single),
]
if any(fails) or not all(serves):
    sys.exit("changed: another set of these calls fails")
PY
