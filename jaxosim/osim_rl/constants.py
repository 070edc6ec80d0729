"""Numbers of osim-rl that its tasks have in common, here and in live OpenSim.

Source: osim-rl 2.1.0 `OsimModel`.
"""

OSIM_RL_STEP = 0.01  # s, a control step
STARTING_CONTROL = 1.0  # in force until the first action
