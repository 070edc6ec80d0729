"""The digest of a program: equal for the same program, another for any other."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.fused.fingerprint import fingerprint

X = jax.ShapeDtypeStruct((3,), jnp.float32)


def digest(function, *avals, mapped=(True,)):
    return fingerprint(jax.make_jaxpr(function)(*(avals or (X,))), mapped)


def base(x):
    return jax.lax.scan(lambda c, r: (c * 0.5 + r, c), x[0], x)[0]


def test_the_same_program_traced_again_has_the_same_digest():
    assert digest(base) == digest(lambda x: base(x)) is not None
    assert digest(jax.nn.relu) == digest(jax.nn.relu) is not None


@pytest.mark.parametrize(
    "other",
    [
        lambda x: jax.lax.scan(lambda c, r: (c * 0.25 + r, c), x[0], x)[0],
        lambda x: jax.lax.scan(lambda c, r: (c * 0.5 - r, c), x[0], x)[0],
        lambda x: jax.lax.scan(lambda c, r: (c * 0.5 + r, c), x[1], x)[0],
        lambda x: jax.lax.scan(lambda c, r: (c * 0.5 + r, c), x[0], x, reverse=True)[0],
        lambda x: jax.lax.scan(lambda c, r: (c * 0.5 + r, c), x[0], x[:2])[0],
    ],
    ids=["constant", "operation", "argument", "parameter", "shape"],
)
def test_another_program_has_another_digest(other):
    assert digest(base) != digest(other)


def test_constants_dtypes_and_mapping_count():
    table = np.arange(2000.0, dtype=np.float32)
    changed = table.copy()
    changed[1000] += 1  # where NumPy's print would leave it out
    assert digest(lambda x: x[0] * jnp.asarray(table)) != digest(
        lambda x: x[0] * jnp.asarray(changed)
    )
    assert digest(base) != digest(base, jax.ShapeDtypeStruct((3,), jnp.float64))
    assert digest(base) != digest(base, mapped=(False,))


def test_a_kernel_from_disk_is_the_kernel_to_the_bit(tmp_path):
    code = (
        "import json, jax, jax.numpy as jnp, numpy as np\n"
        "from jaxosim.fused import fused, kernel\n"
        "made = []\n"
        "real = kernel.scalars_of\n"
        "kernel.scalars_of = lambda *a: made.append(1) or real(*a)\n"
        "x = jnp.asarray(np.random.default_rng(0).normal(size=(21, 4)), jnp.float32)\n"
        "y = jax.jit(jax.vmap(fused(lambda x: jnp.cumsum(jnp.sin(x)))))(x)\n"
        "print(json.dumps([len(made), np.asarray(y).tobytes().hex()]))"
    )
    environment = {**os.environ, "JAXOSIM_CACHE_DIR": str(tmp_path)}
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                check=True,
                env=environment,
            ).stdout
        )
        for _ in range(2)
    ]
    assert [count for count, _ in runs] == [1, 0]
    assert runs[0][1] == runs[1][1]
    for file in (tmp_path / "kernels").iterdir():  # a damaged file is as good as none
        file.write_bytes(file.read_bytes()[:-1])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert json.loads(done.stdout) == [1, runs[0][1]]
