#!/usr/bin/env bash
# A compiled in-place update reads numbers that it has already overwritten.
#
# Version: jax and jaxlib 0.10.2 on the CPU backend (x86-64 Linux), numpy 2.4.6, Python 3.11.
#   0.10.2 is also the newest that Python 3.11 installs. jax 0.12.0.1, on Python 3.13 and numpy
#   2.5.5, gives the same numbers.
# Expected: JAX arrays are immutable, so p.at[i].set(v) computes all of v from the old p. A
#   function and its jit-compiled form then agree to rounding.
# Observed: with v = p[0] + R[1] p[1], a product written out as sums, only the first number of the
#   new row is right. The second is computed from a row whose first number is already new, the
#   third from one whose first two are. There is no warning.
# Output seen:
#   jax 0.10.2
#   reference [-1.1415813   0.47970408 -1.2968154 ]
#   eager     [-1.1415813   0.47970408 -1.2968154 ]
#   jit       [-1.1415812  4.1568203 -1.9126482]
#   overwritten number by number: [-1.1415812  4.156821  -1.9126484]
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
JAX_PLATFORMS=cpu "$work/venv/bin/python" - <<'PY'
import sys

import jax
import jax.numpy as jnp
import numpy as np


def product(a, x):
    terms = a * x[:, None, :]
    return (terms[..., 0:1] + terms[..., 1:2] + terms[..., 2:3]).reshape(terms.shape[:-1])


def step(r, t):
    p = -product(jnp.swapaxes(r, 1, 2), t)
    child = np.array([1])
    return p.at[child].set(p[np.array([0])] + product(r[child], p[child]))


random = np.random.default_rng(0)
r = random.standard_normal((2, 3, 3)).astype(np.float32)
t = random.standard_normal((2, 3)).astype(np.float32)

old = -np.einsum("bji,bj->bi", r, t)
reference = old[0] + r[1] @ old[1]
spoiled = old[1].copy()
for k in range(3):  # what a loop gives that writes into the row it reads
    spoiled[k] = old[0, k] + r[1, k] @ spoiled
eager = np.asarray(step(r, t))[1]
jitted = np.asarray(jax.jit(step)(r, t))[1]
print("jax", jax.__version__)
print("reference", reference)
print("eager    ", eager)
print("jit      ", jitted)
print("overwritten number by number:", spoiled)
if not np.allclose(eager, reference, atol=1e-5):
    sys.exit("changed: the eager result is wrong as well")
if np.allclose(jitted, reference, atol=1e-5):
    sys.exit("changed: the compiled result is right")
if not np.allclose(jitted, spoiled, atol=1e-4):
    sys.exit("changed: the compiled result is wrong in another way")
PY
