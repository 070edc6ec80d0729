"""One fused kernel from the program of one world: see `docs/fused.md`.

`fused` is the transform. Below it: `operation` (the operation of JAX and its derivatives), `kernel`
(from jaxpr to machine code), `interpreter` and `rules_*` (from jaxpr to a graph of scalars),
`graph`, `algebra`, `elementary` (the graph), `needed`, `schedule` (its order), `emit`, `movement`,
`handler` (LLVM IR), `llvm` (machine code, kept on disk). For NVIDIA GPUs: `threads`, `ptx`,
`ptxas` (one world a thread), `launcher`, `cuda` (the host's side).
"""

from jaxosim.fused.transform import KERNELS as KERNELS
from jaxosim.fused.transform import description as description
from jaxosim.fused.transform import fused as fused
from jaxosim.fused.transform import in_use as in_use
from jaxosim.fused.transform import is_available as is_available
from jaxosim.fused.transform import using as using
