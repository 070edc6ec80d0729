"""The tasks for trainers that take gymnax environments.

`GymnaxEnv` has the interface of gymnax 1.0, which tells terminated and truncated apart;
`LegacyGymnaxEnv` that of the versions before it. It needs the extra `gymnax`; nothing else in
jaxosim imports it.
"""

from jaxosim.adapters.gymnax.env import GymnaxEnv, LegacyGymnaxEnv

__all__ = ["GymnaxEnv", "LegacyGymnaxEnv"]
