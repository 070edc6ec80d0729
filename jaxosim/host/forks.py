"""Saying at once that a process cannot compute, where JAX would wait for ever.

JAX computes with threads, and a process that is forked from one that has used JAX has none of them:
the first thing that it compiles never ends (JAX only warns). Workers have to be started by spawn.
"""

import os

from jax._src import xla_bridge  # nothing public tells without starting a backend

_forked_after_use = False


def _note_fork() -> None:
    """In a new process: keep in mind whether the one it comes from has used JAX."""
    global _forked_after_use
    _forked_after_use = xla_bridge.backends_are_initialized()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def check_process() -> None:
    """Refuse to compute in a process in which JAX cannot.

    Raises:
      RuntimeError: it was forked after JAX had been used; the message says how to start workers.
    """
    if _forked_after_use:
        raise RuntimeError(
            "this process was forked from one that had used JAX, and JAX's threads do not survive "
            'that: start workers by spawn (multiprocessing.get_context("spawn"), '
            'AsyncVectorEnv(..., context="spawn"), SubprocVecEnv(..., start_method="spawn"), '
            'DataLoader(..., multiprocessing_context="spawn")), or step one batch instead '
            "(gymnasium.make_vec, jaxosim.BatchEnv)"
        )
