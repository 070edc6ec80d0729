"""How fast is one evaluation, and how long does compiling take?

    python benchmarks/throughput.py [MODEL] [--batch 1024] [--repeats 7] [--devices 2]

Compile times are of cold programs; speeds are medians after a warm-up, with the batch spread over
one device per CPU core (`--devices 1`: one device, whose threads share every operation). One table,
and one JSON line in benchmarks/results/throughput.jsonl.
"""

import argparse
import os
import statistics
import time

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
from record import record, show
from sampling import random_states

import jaxosim

_CHAIN = 50  # evaluations per timed call, in one scan


def compile_time(function, *arguments):
    """Seconds to trace and to compile, and the program."""
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*arguments)
    traced = time.perf_counter()
    program = lowered.compile()
    return traced - start, time.perf_counter() - traced, program


def median_time(program, repeats, *arguments):
    """Median seconds of a call, after one to warm up."""
    jax.block_until_ready(program(*arguments))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(program(*arguments))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def spread(function, mesh):
    """The function of a batch, each device working on its share."""
    share = PartitionSpec("worlds")
    return jax.shard_map(
        function, mesh=mesh, in_specs=(share, share), out_specs=share, check_vma=False
    )


def measure(name, batch, repeats, devices):
    """All figures of one model."""
    model, params = jaxosim.load_model(name)
    _, excitation = random_states(model, params, batch, 0)
    start = jax.jit(lambda p: jaxosim.initial_state(model, p))(params)
    states = jax.tree.map(lambda x: jnp.broadcast_to(x, (batch,) + x.shape), start)

    def derivative(state, excitation):
        return jaxosim.state_derivative(model, params, state, excitation)

    def chain(states, excitation):
        def body(at, _):
            rates = jax.vmap(derivative)(at, excitation)
            return jax.tree.map(lambda x, f: x + 1e-6 * f, at, rates), None

        return jax.lax.scan(body, states, None, length=_CHAIN)[0]

    def step(states, excitation):
        return jax.vmap(lambda s, e: jaxosim.step(model, params, s, e))(states, excitation)

    first = jax.tree.map(lambda x: x[0], states)
    one_traced, one_compiled, _ = compile_time(derivative, first, excitation[0])
    traced, compiled, _ = compile_time(jax.vmap(derivative), states, excitation)
    step_traced, step_compiled, _ = compile_time(step, states, excitation)
    mesh = jax.make_mesh((devices,), ("worlds",))
    shares = jax.device_put((states, excitation), NamedSharding(mesh, PartitionSpec("worlds")))
    _, _, step_program = compile_time(spread(step, mesh), *shares)
    _, _, chain_program = compile_time(spread(chain, mesh), *shares)
    return {
        "model": model.name,
        "batch": batch,
        "devices": devices,
        "state_derivative, one world: trace (s)": one_traced,
        "state_derivative, one world: compile (s)": one_compiled,
        "state_derivative, batch: trace (s)": traced,
        "state_derivative, batch: compile (s)": compiled,
        "step, batch: trace (s)": step_traced,
        "step, batch: compile (s)": step_compiled,
        "state derivatives per second": batch
        * _CHAIN
        / median_time(chain_program, repeats, *shares),
        "control steps per second": batch / median_time(step_program, repeats, *shares),
    }


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="gait14dof22musc_pros")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--devices", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", arguments.devices)
    row = measure(arguments.model, arguments.batch, arguments.repeats, arguments.devices)
    show(row)
    record("throughput", row)


if __name__ == "__main__":
    main()
