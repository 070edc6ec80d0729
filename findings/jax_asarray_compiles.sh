#!/usr/bin/env bash
# jnp.asarray of a NumPy array compiles a program for each shape; jax.device_put compiles none.
#
# Version: jax 0.10.2 and jaxlib 0.10.2 on CPU, numpy 2.4.6, Python 3.11, x86-64 Linux.
# Expected: both copy a NumPy array to the device, and neither compiles anything.
# Observed: the first jnp.asarray of each shape and dtype traces, lowers and compiles a program named
#   `stage`, some milliseconds each, so that a tree of small arrays of many shapes costs a noticeable
#   part of a second at the start of every process. jax.device_put gives equal arrays of the same
#   dtype, in no time.
# Output seen:
#   programs compiled for 8 arrays of 8 shapes: jnp.asarray 8 ['jit(stage)'], jax.device_put 0 []
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
cd "$work"
JAX_PLATFORMS=cpu venv/bin/python - <<'PY'
import sys

import jax
import jax.numpy as jnp
import numpy as np

compiled = []


def note(event, seconds, fun_name=None, **_):
    """Keeps the names of the programs that are compiled."""
    if event.endswith("backend_compile_duration"):
        compiled.append(fun_name)


jax.monitoring.register_event_duration_secs_listener(note)


def programs(copy, sizes):
    """The names of the programs that copying arrays of these sizes compiles."""
    compiled.clear()
    arrays = [np.arange(size, dtype=np.float32) for size in sizes]
    copies = jax.block_until_ready([copy(array) for array in arrays])
    for array, copied in zip(arrays, copies):
        assert copied.dtype == array.dtype and np.array_equal(copied, array)
    return list(compiled)


staged = programs(jnp.asarray, range(1, 9))
put = programs(jax.device_put, range(11, 19))
print(
    f"programs compiled for 8 arrays of 8 shapes: jnp.asarray {len(staged)} {sorted(set(staged))}, "
    f"jax.device_put {len(put)} {sorted(set(put))}"
)
if (len(staged), set(staged), len(put)) != (8, {"jit(stage)"}, 0):
    sys.exit("changed: what is compiled for a copy")
PY
