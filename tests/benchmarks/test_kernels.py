"""Both kernels give the same results, each as what it claims to be; memory of both is counted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from kernels import KERNELS, batched, is_fused, mesh_of, placed
from timing import compiled, kernels_in, medians

from jaxosim import fused

needs_kernels = pytest.mark.skipif(not fused.is_available(), reason="no kernels can be made here")


@fused.fused
def wave(x):
    return jnp.sin(x) * x


@needs_kernels
def test_a_function_is_compiled_as_it_was_asked_also_when_it_was_the_other_before():
    x = jnp.linspace(0.0, 1.0, 300)
    results = {}
    for kernel in (*KERNELS, *KERNELS):
        program = compiled(batched(kernel, wave), placed(kernel, x), kernel=kernel)
        assert bool(kernels_in(program.call)) == (kernel == "fused")
        results[kernel] = np.asarray(program.call(placed(kernel, x)))
    np.testing.assert_allclose(results["fused"], results["xla"], rtol=1e-6)


@needs_kernels
def test_a_program_of_the_other_kind_is_refused():
    with pytest.raises(RuntimeError, match="a program for kernel='fused' calls the kernels"):
        compiled(lambda x: x + 1.0, jnp.ones(3), kernel="fused")


@needs_kernels
def test_scratch_memory_of_kernels_is_part_of_what_a_program_needs():
    program = compiled(jax.vmap(wave), jnp.ones(300), kernel="fused")
    used = program.call.memory_analysis()
    assert program.temporary > used.temp_size_in_bytes


def test_only_xla_has_a_mesh():
    assert mesh_of("fused") is None and mesh_of("xla").size == jax.device_count()
    assert is_fused("auto") == fused.is_available() and not is_fused("xla")


def test_medians_keep_any_names():
    assert set(medians({("a", 1): lambda: 0.0, ("b", 2): lambda: 0.0}, 1)) == {("a", 1), ("b", 2)}
