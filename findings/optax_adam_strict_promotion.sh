#!/usr/bin/env bash
# Adam of Optax fails under JAX's strict promotion of types, although all its inputs are float32.
#
# Version: optax 0.2.8, jax and jaxlib 0.10.2, numpy 2.4.6, Python 3.11, x86-64 Linux.
# Expected: parameters, gradients and state of the optimizer have one type, so strict promotion,
#   which only refuses to mix types, changes nothing; optax.sgd works so.
# Observed: scale_by_adam raises its float32 decay to the power of its integer count of steps, and
#   JAX refuses the mixed types. Under standard promotion the update is made.
# Output seen:
#   standard adam ok
#   strict sgd ok
#   strict adam TypePromotionError
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'optax==0.2.8' 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
JAX_PLATFORMS=cpu "$work/venv/bin/python" - <<'PY'
import sys

import jax
import jax.numpy as jnp
import optax


def outcome(promotion, optimizer):
    weights = jnp.ones(3, jnp.float32)
    with jax.numpy_dtype_promotion(promotion):
        try:
            optimizer.update(weights, optimizer.init(weights), weights)
        except Exception as error:
            return type(error).__name__
    return "ok"


seen = {
    "standard adam": outcome("standard", optax.adam(1e-3)),
    "strict sgd": outcome("strict", optax.sgd(1e-3)),
    "strict adam": outcome("strict", optax.adam(1e-3)),
}
for name, what in seen.items():
    print(name, what)
if list(seen.values()) != ["ok", "ok", "TypePromotionError"]:
    sys.exit("changed: promotion decides otherwise")
PY
