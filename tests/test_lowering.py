"""The whole batched step can be compiled for accelerators that are not here."""

import re

import jax
import jax.numpy as jnp
import pytest
from jax import export

import jaxosim

pytestmark = pytest.mark.thorough

WORLDS = 256
# A hint that every backend's layout assignment reads; `jax.export` does not vouch for it.
HINT = "LayoutConstraint"


@pytest.fixture(scope="module")
def exported():
    """An environment's step of a batch, auto-reset included, in single precision."""
    _, params = jaxosim.load_model("gait14dof22musc_pros")
    single = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), params)
    env = jaxosim.make("ProstheticsEnv", difficulty=0, params=single)
    batch = jaxosim.BatchEnv(env, WORLDS, batch_size=WORLDS)  # as an accelerator would by itself
    es = jax.eval_shape(batch.reset, jax.random.key(0))
    action = jax.ShapeDtypeStruct((WORLDS, env.action_size), jnp.float32)
    return export.export(
        jax.jit(batch.step),
        platforms=["cuda", "tpu"],
        disabled_checks=[export.DisabledSafetyCheck.custom_call(HINT)],
    )(es, action)


def test_a_step_lowers_for_cuda_and_tpu(exported):
    assert exported.platforms == ("cuda", "tpu")
    assert exported.in_avals[-1].shape == (WORLDS, 19)


def test_nothing_in_it_is_double_or_asks_the_host(exported):
    text = exported.mlir_module()
    assert "tensor<256x14xf32>" in text  # the text is what we think it is
    # Tests run with 64 bits allowed: a literal begins as a scalar of 64, which XLA folds.
    assert re.findall(r"tensor<[^>]*xf64>", text) == []
    assert set(re.findall(r"custom_call @([\w.$]+)", text)) == {HINT}
    assert "callback" not in text and "infeed" not in text and "outfeed" not in text
