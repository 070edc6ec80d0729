#!/usr/bin/env bash
# On CPU jnp.max and jnp.min of 4096 numbers or more pass over NaN; of fewer, they return it.
#
# Version: jax and jaxlib 0.10.2, numpy 2.4.6, Python 3.11, x86-64 Linux.
# Expected: as numpy.max, jnp.max of an array that holds NaN is NaN, whatever its size. A loop that
#   ends, or a step that is refused, where the largest error is NaN, relies on it.
# Observed: from 4096 elements on the reduction is a kernel of another library, and returns the
#   largest of the other elements, and -inf for a row of NaN alone; so vmap of a function that
#   returns NaN returns -inf as soon as the batch is large enough. jnp.maximum returns NaN, and
#   jnp.any(jnp.isnan(x)) finds it.
# Output seen:
#   4088 elements: max nan, row of NaN nan
#   4096 elements: max 1.0, row of NaN -inf
#   vmap of one function, 511 worlds: nan
#   vmap of one function, 512 worlds: -inf
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
cd "$work"
JAX_PLATFORMS=cpu venv/bin/python - <<'PY'
import math
import sys

import jax
import jax.numpy as jnp
import numpy as np

found = {}
for rows in (511, 512):
    values = np.ones((rows, 8), np.float32)
    values[1] = np.nan
    largest, row = float(jnp.max(values)), float(jnp.max(values, axis=1)[1])
    found[rows] = largest, row
    print(f"{values.size} elements: max {largest}, row of NaN {row}")
for rows in (511, 512):
    values = np.ones((rows, 8), np.float32)
    values[1] = np.nan
    world = float(jax.jit(jax.vmap(jnp.max))(values)[1])
    print(f"vmap of one function, {rows} worlds: {world}")
if not (math.isnan(found[511][0]) and found[512] == (1.0, -math.inf)):
    sys.exit("changed: the largest of many numbers is NaN, or that of few is not")
PY
