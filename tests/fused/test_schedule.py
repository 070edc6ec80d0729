"""The order of nodes, in chunks: what a chunk loads is there, and derivatives keep less."""

import functools

import jax
import jax.numpy as jnp
import pytest

from jaxosim.fused.graph import WORLD
from jaxosim.fused.kernel import scalars_of
from jaxosim.fused.schedule import Schedule

_CHUNK = 25  # nodes


def energy(x):
    for _ in range(6):
        shared = x * jnp.roll(x, 1) - x
        x = jnp.where(shared > 0.1, shared, x + 0.1) * (x + 1) + shared * shared
    return jnp.sum(x)


@functools.cache
def scalars():
    return scalars_of(jax.make_jaxpr(jax.grad(energy))(jnp.ones(7)), [True])


def schedule(is_derivative):
    given = scalars()
    return Schedule(given.graph, given.results, WORLD, _CHUNK, is_derivative=is_derivative)


@pytest.mark.parametrize("is_derivative", [False, True])
def test_chunks_find_in_their_slots_what_they_load(is_derivative):
    plan = schedule(is_derivative)
    graph, held = plan.graph, {}
    assert len(plan.chunks) > 10
    for chunk in plan.chunks:
        for node in chunk.loads:
            assert graph.op[node] == "argument" or held[plan.slot[node]] == node
        known = set(chunk.loads)
        for node in chunk.nodes:
            assert all(graph.op[a] == "const" or a in known for a in graph.args[node])
            known.add(node)
        held.update({plan.slot[node]: node for node in chunk.stores})
    for node in plan.results:
        assert held[plan.slot[node]] == node


def test_a_derivative_keeps_less_and_works_some_out_again():
    plain, spared = schedule(False), schedule(True)
    copies = [(chunk, node) for chunk in spared.chunks for node in chunk.copies]
    assert copies and not any(chunk.copies for chunk in plain.chunks)
    assert not any(node in chunk.stores for chunk, node in copies)
    made = {n for chunk in spared.chunks for n in chunk.nodes if n not in chunk.copies}
    assert made == {n for chunk in plain.chunks for n in chunk.nodes}
    for kept in ("stores", "loads"):
        less, more = (sum(len(getattr(c, kept)) for c in s.chunks) for s in (spared, plain))
        assert less < more, kept
    assert spared.slot_count < plain.slot_count
