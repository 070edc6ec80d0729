"""Generators of an object's own draw what the global ones do, and leave those alone."""

import random

import numpy as np
import pytest

from jaxosim.osim_rl.osim_rl_random import (
    GLOBAL,
    Generators,
    draw_arm_target,
    draw_sink,
    draw_track,
)


def arm(generators):
    return draw_arm_target(generators)


def sink(generators):
    drawn = draw_sink(3, np.dtype(float), generators)
    return [float(x) for x in (drawn.radius, drawn.turn, drawn.phase, drawn.stay)]


def track(generators):
    drawn = draw_track(1001, np.dtype(float), generators)
    return [np.asarray(x).tolist() for x in (drawn.step, drawn.speed_change, drawn.heading_change)]


@pytest.mark.parametrize("draw", [arm, sink, track])
def test_seeded_generators_draw_what_the_global_ones_do(draw):
    for seed in (1, 2**32 - 1):
        GLOBAL.seed(seed)
        own = Generators.seeded(seed)
        assert draw(own) == draw(GLOBAL)
        assert draw(own) == draw(GLOBAL)  # also the next ones
    assert draw(Generators.seeded(1)) != draw(Generators.seeded(2))


def test_seeded_generators_leave_the_global_ones_alone():
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    own = Generators.seeded(5)
    for draw in (arm, sink, track):
        draw(own)
    own.seed(6)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
