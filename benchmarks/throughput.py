"""How fast is one evaluation, and how long does compiling take?

    python benchmarks/throughput.py [MODEL] [--batch 4096] [--repeats 7] [--devices 2]

Compile times are of cold programs; speeds are medians after a warm-up, with the batch dealt out
over one device per CPU core (`--devices 1`: one device, whose threads share every operation). One
table, and one JSON line in benchmarks/results/throughput.jsonl.
"""

import argparse
import functools

import jax
import jax.numpy as jnp
from record import record, show
from sampling import random_states

import jaxosim
from jaxosim.bench.timing import compiled, medians
from jaxosim.cores import core_count

_CHAIN = 50  # evaluations per timed call, in one scan


def measure(name: str, batch: int, repeats: int, devices: int) -> dict:
    """All figures of one model."""
    model, params = jaxosim.load_model(name)
    _, excitation = random_states(model, params, batch, 0)
    start = jax.jit(lambda p: jaxosim.initial_state(model, p))(params)
    states = jax.tree.map(lambda x: jnp.broadcast_to(x, (batch,) + x.shape), start)
    derivative = functools.partial(jaxosim.state_derivative, model, params)
    step = functools.partial(jaxosim.step, model, params)

    def chain(state, excitation):
        def body(at, _):
            rates = derivative(at, excitation)
            return jax.tree.map(lambda x, f: x + 1e-6 * f, at, rates), None

        return jax.lax.scan(body, state, None, length=_CHAIN)[0]

    one = compiled(derivative, jax.tree.map(lambda x: x[0], states), excitation[0])
    whole = compiled(jaxosim.over_worlds(derivative), states, excitation)
    mesh = jaxosim.world_mesh(jax.devices()[:devices])
    dealt = jax.device_put((states, excitation), jaxosim.world_sharding(mesh))
    step_program = compiled(jaxosim.over_worlds(step, mesh=mesh), *dealt)
    chain_program = compiled(jaxosim.over_worlds(chain, mesh=mesh), *dealt)
    seconds = medians(
        {
            "chain": lambda: chain_program.call(*dealt),
            "step": lambda: step_program.call(*dealt),
        },
        repeats,
    )
    return {
        "model": model.name,
        "batch": batch,
        "devices": devices,
        "state_derivative, one world: trace (s)": one.trace,
        "state_derivative, one world: compile (s)": one.compile,
        "state_derivative, batch: trace (s)": whole.trace,
        "state_derivative, batch: compile (s)": whole.compile,
        "step, batch: trace (s)": step_program.trace,
        "step, batch: compile (s)": step_program.compile,
        "state derivatives per second": batch * _CHAIN / seconds["chain"],
        "control steps per second": batch / seconds["step"],
    }


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="gait14dof22musc_pros")
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--devices", type=int, default=core_count())
    arguments = parser.parse_args()
    jaxosim.use_cores(arguments.devices)
    row = measure(arguments.model, arguments.batch, arguments.repeats, arguments.devices)
    show(row)
    record("throughput", row)


if __name__ == "__main__":
    main()
