"""Machine code of kernels: what is asked of LLVM."""

import pytest

from jaxosim import fused
from jaxosim.fused import llvm


@pytest.mark.parametrize("asked", ["", "4", "fast"])
def test_a_level_of_llvm_that_is_none_is_named(monkeypatch, asked):
    monkeypatch.setenv("JAXOSIM_LLVM_LEVEL", asked)
    with pytest.raises(ValueError, match="JAXOSIM_LLVM_LEVEL: expected 0, 1, 2 or 3, got"):
        llvm.level.__wrapped__()


@pytest.mark.skipif(not fused.is_available(), reason="kernels cannot be made here")
def test_levels_of_llvm_keep_kernels_apart(monkeypatch):
    names = set()
    for asked in ("0", "1"):
        monkeypatch.setattr(llvm, "level", lambda asked=asked: int(asked))
        names.add(llvm.digest_of("define void @f()"))
    assert len(names) == 2
