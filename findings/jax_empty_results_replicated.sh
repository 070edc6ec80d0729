#!/usr/bin/env bash
# jax.jit returns arrays without elements replicated over the mesh, whatever sharding they came with.
#
# Version: jax 0.10.2 and jaxlib 0.10.2 on CPU, numpy 2.4.6, Python 3.11, x86-64 Linux.
# Expected: results of an elementwise function, and of a shard_map, have the sharding of their arguments,
#   or that of out_specs, so that a step that takes its own results is compiled once.
# Observed: a result of shape (4, 3) does; one of shape (4, 0) has PartitionSpec() instead, also after
#   with_sharding_constraint. The second call of the step is compiled anew, and a step compiled ahead of time
#   refuses its own result. Only out_shardings of the outermost jit keeps the sharding.
# Output seen:
#   elementwise: (4, 3) P('world',), (4, 0) P()
#   shard_map: (4, 3) P('world',), (4, 0) P()
#   with_sharding_constraint: (4, 3) P('world',), (4, 0) P()
#   out_shardings: (4, 3) P('world',), (4, 0) P('world',)
#   programs compiled by three steps: 2
#   ahead of time: ValueError
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
cd "$work"
JAX_PLATFORMS=cpu venv/bin/python - <<'PY'
import sys

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

jax.config.update("jax_num_cpu_devices", 2)
mesh = Mesh(np.array(jax.devices()), ("world",))
spec = PartitionSpec("world")
rows = NamedSharding(mesh, spec)
given = [jax.device_put(np.ones((4, size), np.float32), rows) for size in (3, 0)]


def step(*arrays):
    return [array + 1 for array in arrays]


dealt = jax.shard_map(step, mesh=mesh, in_specs=(spec, spec), out_specs=[spec, spec])


def constrained(*arrays):
    return [jax.lax.with_sharding_constraint(array, rows) for array in step(*arrays)]


seen = {}
for name, function in {
    "elementwise": jax.jit(step),
    "shard_map": jax.jit(dealt),
    "with_sharding_constraint": jax.jit(constrained),
    "out_shardings": jax.jit(step, out_shardings=[rows, rows]),
}.items():
    seen[name] = [result.sharding.spec for result in function(*given)]
    print(f"{name}: (4, 3) {seen[name][0]}, (4, 0) {seen[name][1]}")

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compiled.append(event) if event.endswith("backend_compile_duration") else 0
)
again, arrays = jax.jit(lambda *arrays: step(*arrays)), given
for _ in range(3):
    arrays = again(*arrays)
print("programs compiled by three steps:", len(compiled))
ahead = jax.jit(step).lower(*given).compile()
try:
    ahead(*ahead(*given))
    outcome = "taken"
except ValueError as error:
    outcome = type(error).__name__
print("ahead of time:", outcome)
expected = {name: [spec, PartitionSpec()] for name in seen} | {"out_shardings": [spec, spec]}
if seen != expected or len(compiled) != 2 or outcome != "ValueError":
    sys.exit("changed: shardings of results without elements")
PY
