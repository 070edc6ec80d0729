"""A batch is its worlds, however they are distributed: blocks, devices, processes."""

import os
import socket
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxosim
from tests import hopper_model
from tests.trainers import ROOT

ROUNDING = 1e-12
COUNT = 10
STEPS = 3


@pytest.fixture(scope="module")
def arm():
    """Model, states and excitations `[world, time, muscle]` of a batch of arms."""
    model, params = hopper_model.load("arm2dof6musc")
    start = hopper_model.initial(model, params)
    states = jax.tree.map(lambda x: jnp.repeat(x[None], COUNT, axis=0), start)
    excitations = jax.random.uniform(
        jax.random.key(0), (COUNT, STEPS, len(model.muscle_names)), states.q.dtype
    )
    return model, params, states, excitations


def norm(params, values, key=None):
    """A function of one world whose answer tells worlds apart."""
    noise = 0.0 if key is None else jax.random.uniform(key)
    return {"sum": jnp.sum(values * params["scale"]) + noise, "values": values**2}


def arguments():
    values = jnp.arange(COUNT * 3, dtype=float).reshape(COUNT, 3)
    return {"scale": jnp.float_(2.5)}, values


@pytest.mark.parametrize("block", [1, 3, 4, 5, COUNT, 64])
def test_blocks_do_not_matter(block):
    params, values = arguments()
    keys = jax.random.split(jax.random.key(1), COUNT)
    axes = (None, 0, 0)
    expected = jax.vmap(norm, axes)(params, values, keys)
    obtained = jaxosim.batched(norm, axes, batch_size=block)(params, values, keys)
    chex.assert_trees_all_equal(obtained, expected)


def test_empty_leaves_pass_through_blocks():
    """A model without springs has records of none."""
    _, values = arguments()
    obtained = jaxosim.batched(lambda x: {"none": x[:0], "one": x[0]}, batch_size=4)(values)
    assert obtained["none"].shape == (COUNT, 0)
    np.testing.assert_array_equal(obtained["one"], values[:, 0])


@pytest.mark.parametrize("worlds, expected", [(8, 4), (6, 2), (7, 1), (None, 4)])
def test_a_mesh_takes_the_devices_that_divide_the_worlds(worlds, expected):
    devices = [jax.devices()[0]] * 4
    assert jaxosim.world_mesh(devices, worlds).size == expected


def test_gradients_pass_through_blocks():
    params, values = arguments()

    def loss(params, block):
        return jnp.sum(jaxosim.batched(norm, (None, 0), batch_size=block)(params, values)["sum"])

    slopes = [jax.grad(loss)(params, block)["scale"] for block in (3, COUNT)]
    np.testing.assert_allclose(slopes, jnp.sum(values))


def test_rollouts_in_blocks_are_the_vmapped_ones(arm):
    model, params, states, excitations = arm
    arguments, axes = (model, params, states, excitations), (None, None, 0, 0)
    expected = jax.jit(jax.vmap(jaxosim.rollout, axes))(*arguments)
    obtained = jax.jit(jaxosim.batched(jaxosim.rollout, axes, batch_size=4))(*arguments)
    chex.assert_trees_all_close(obtained, expected, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("axes", [(0,), (0, 1), (None, None), 1])
def test_odd_axes_are_refused(axes):
    with pytest.raises(ValueError, match="in_axes: expected 0 or None for each of 2 arguments"):
        jaxosim.batched(norm, axes)(*arguments())


# Eight devices of one process, or of two that talk over the loopback interface; prints how far the
# worlds distributed over all of them are from the worlds of one device.
DEALT = """
import sys
import jax, jax.numpy as jnp, numpy as np
import jaxosim
from jax.experimental.multihost_utils import process_allgather

jax.config.update("jax_enable_x64", True)
processes = int(sys.argv[1])
jaxosim.use_cpu_devices(8 // processes)
if processes > 1:
    jax.distributed.initialize(sys.argv[2], num_processes=processes, process_id=int(sys.argv[3]))
options = jaxosim.Options(method="euler", substeps=2)
env = jaxosim.make("Arm2DEnv", time_limit=2, options=options)
model, params = env.model, env.params
actions = jax.random.uniform(jax.random.key(7), (16, 3, env.action_size))
start = jax.jit(lambda: jaxosim.initial_state(model, params))()
states = jax.tree.map(lambda x: jnp.repeat(x[None], 16, axis=0), start)

def play(mesh):
    batch = jaxosim.BatchEnv(env, 16, mesh=mesh)
    es = jax.jit(batch.reset)(jax.random.key(3))
    step = jax.jit(batch.step)
    for time in range(3):  # every episode ends with the second step
        es = step(es, actions[:, time])
    return es.obs, es.state, es.info, jax.random.key_data(es.key)

def roll(mesh):
    one = lambda state, excitations: jaxosim.rollout(model, params, state, excitations, options)
    return jax.jit(jaxosim.batched(one, mesh=mesh))(states, actions)

mesh = jaxosim.world_mesh()
largest = 0.0
for job in (play, roll):
    dealt = job(mesh)
    for leaf in jax.tree.leaves(dealt):
        assert len(leaf.sharding.device_set) == 8
        assert leaf.size == 0 or leaf.sharding.spec[0] == "world"  # nothing has no place
    whole = process_allgather(dealt, tiled=True) if processes > 1 else dealt
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(job(None)), strict=True):
        a, b = np.asarray(a, float), np.asarray(b, float)
        assert a.shape == b.shape and np.all(np.isfinite(b))
        largest = max(largest, np.max(np.abs(a - b) / np.maximum(np.abs(b), 1), initial=0))
print("largest", largest)
"""


def run_dealt(*arguments):
    command = [sys.executable, "-c", DEALT, *map(str, arguments)]
    # The children compile as this process does: see conftest.py.
    fast = jax.config.read("jax_disable_most_optimizations")
    env = dict(os.environ, JAX_DISABLE_MOST_OPTIMIZATIONS=str(int(fast)))
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdout=pipe, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=env
    )


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.thorough
@pytest.mark.parametrize("processes", [1, 2])
def test_eight_devices_are_one(processes):
    address = free_address()
    children = [run_dealt(processes, address, number) for number in range(processes)]
    try:
        outputs = [child.communicate(timeout=500)[0] for child in children]
    finally:
        for child in children:
            child.kill()
    for child, output in zip(children, outputs, strict=True):
        assert child.returncode == 0, output
        assert float(output.rsplit("largest", 1)[1]) < 1e-9


@pytest.mark.slow
def test_the_page_about_it_works():
    text = (ROOT / "docs" / "many_worlds.md").read_text(encoding="utf-8")
    program = "\n".join(part.split("```")[0] for part in text.split("```python\n")[1:])
    program += "\nassert len(motion.q.sharding.device_set) == mesh.size"
    program += "\nassert es.obs.shape == (worlds, env.observation_size)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
