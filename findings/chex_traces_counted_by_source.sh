#!/usr/bin/env bash
# chex.assert_max_traces counts by source and callers' names: two functions can share one count.
#
# Version: chex 0.1.92, jax 0.10.2, numpy 2.4.6, Python 3.11, x86-64 Linux.
# Expected: each wrapped function has a count of its own.
# Observed: the count belongs to the source of the function and the names of the functions on the stack where
#   it is wrapped. The same method of two objects, wrapped in functions of one name, for instance
#   pytest fixtures of two modules, has one count, and the second object fails at its first trace. Whether a test
#   fails thus depends on which tests ran before it in the process, until clear_trace_counter().
# Output seen:
#   first object: 2.0
#   second object: AssertionError at its first trace
#   after clear_trace_counter(): 3.0
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'chex==0.1.92' 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.4.6'
cd "$work"
cat > simulator.py <<'PY'
class Simulator:
    def __init__(self, gain):
        self.gain = gain

    def step(self, x):
        return self.gain * x
PY
for module in one other; do
    cat > "$module.py" <<'PY'
import chex
import jax
from simulator import Simulator


def fixture(gain):
    return jax.jit(chex.assert_max_traces(Simulator(gain).step, n=1))
PY
done
JAX_PLATFORMS=cpu venv/bin/python - <<'PY'
import sys

import chex
import one
import other

first, second = [module.fixture(gain) for module, gain in ((one, 2.0), (other, 3.0))]
print("first object:", first(1.0))
try:
    second(1.0)
    outcome = "traced"
except AssertionError:
    outcome = "AssertionError"
print("second object:", outcome, "at its first trace")
chex.clear_trace_counter()
print("after clear_trace_counter():", second(1.0))
if outcome != "AssertionError":
    sys.exit("changed: how traces are counted")
PY
