"""The tasks for trainers that take Brax environments.

`BraxEnv` is the environment, `wrap` what a trainer takes as `wrap_env_fn`. It needs the extra
`brax`; nothing else in jaxosim imports it.
"""

from jaxosim.adapters.brax.env import BraxEnv
from jaxosim.adapters.brax.training import wrap

__all__ = ["BraxEnv", "wrap"]
