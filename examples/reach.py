"""A policy for Arm2DEnv that needs no training, to be submitted to a challenge.

    jaxosim submit examples/reach.py --url http://127.0.0.1:8000 --token TOKEN

The arm has three muscles on either side. Those that move the hand toward the target pull a little,
and the more, the farther it is away.
"""

import numpy as np

TARGET, HAND = slice(0, 2), slice(14, 16)  # places in the observation (m)
GAIN = 2.0  # excitation for each meter


def policy(observation):
    """Excitations for the next control step."""
    seen = np.asarray(observation)
    up = GAIN * (seen[TARGET] - seen[HAND])[1]
    flexors, extensors = np.clip([up, -up], 0.02, 1.0)
    return [extensors] * 3 + [flexors] * 3
