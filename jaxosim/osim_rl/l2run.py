"""L2RunEnv as osim-rl has it."""

from jaxosim.osim_rl.osim_env import OsimEnv


class L2RunEnv(OsimEnv):
    """Run forward; nothing is drawn."""

    task_name = "L2RunEnv"
