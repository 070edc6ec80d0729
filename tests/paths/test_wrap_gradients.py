"""Slopes of single pieces at ellipsoids and tori: finite anywhere, those of differences elsewhere.

The searches end after whole numbers of steps, so lengths jump by up to some micrometers; a
difference that spans a jump says nothing, a shorter one does.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxosim.fused import fused
from jaxosim.paths import wrap_ellipsoid, wrap_torus
from jaxosim.paths.wrap_object import NEVER, Sides

COUNT = 512
MANY = 10_000
STEPS = (1e-6, 1e-7, 1e-8, 1e-9)  # (m) of differences; short ones also next to a tangent
TOLERANCE = 1e-6  # of slopes (1)
ONE_SIDED = 1e-3  # the same of differences to one side
KINDS = {"ellipsoid": wrap_ellipsoid, "torus": wrap_torus}


class Pieces(NamedTuple):
    """Pieces and their objects, `[piece, …]`."""

    p1: np.ndarray
    p2: np.ndarray
    size: dict[str, np.ndarray]
    sides: Sides


def result(kind, p1, p2, size, sides):
    """Points and length of one piece, `[7]`, zeros if it does not wrap; and whether it does."""
    wrap = KINDS[kind]
    line = wrap.wrap_line(p1, p2, wrap.Params(**size), sides, True)
    there = (line.possible | line.mandatory) & (line.length < NEVER)
    values = jnp.concatenate([line.r1, line.r2, line.length[None]])
    return jnp.where(there, values, 0.0), there


@functools.cache
def programs(kind):
    """Compiled results of pieces, and their Jacobian by both ends."""

    def slopes(p1, p2, size, sides):
        ends = lambda p1, p2: result(kind, p1, p2, size, sides)[0]  # noqa: E731
        return jax.jacfwd(ends, argnums=(0, 1))(p1, p2)

    return (
        jax.jit(jax.vmap(fused(functools.partial(result, kind)))),
        jax.jit(jax.vmap(fused(slopes))),
    )


def surface(kind, size, rng):
    """Points of the surfaces, and their unit normals, `[piece, 3]`."""
    count = len(next(iter(size.values())))
    outward = rng.normal(size=(count, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    if kind == "ellipsoid":
        a = size["dimensions"]
        point = outward / np.linalg.norm(outward / a, axis=1, keepdims=True)
        normal = point / a**2
        return point, normal / np.linalg.norm(normal, axis=1, keepdims=True)
    angle = rng.uniform(0, 2 * np.pi, count)
    radial = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    normal = outward[:, :1] * radial + outward[:, 2:] * np.array([0.0, 0.0, 1.0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return size["outer_radius"][:, None] * radial + size["inner_radius"][:, None] * normal, normal


def sizes(kind, count, rng):
    if kind == "ellipsoid":
        return {"dimensions": rng.uniform(0.02, 0.1, (count, 3))}
    inner, outer = rng.uniform(0.01, 0.03, count), rng.uniform(0.04, 0.1, count)
    return {"inner_radius": inner, "outer_radius": outer}


def sides(count, rng):
    """All quadrants, and none; all methods."""
    axis, sign, method = (rng.integers(0, n, count) for n in (3, 3, 3))
    return Sides(np.eye(3)[axis] * (sign - 1)[:, None], method == 1, method == 2)


def anywhere(kind, count, seed):
    """Pieces across objects, most of which wrap."""
    rng = np.random.default_rng(seed)
    size = sizes(kind, count, rng)
    toward = rng.normal(size=(count, 3))
    toward *= rng.uniform(0.12, 0.3, (count, 1)) / np.linalg.norm(toward, axis=1, keepdims=True)
    beside = rng.uniform(-0.06, 0.06, (2, count, 3))
    return Pieces(toward + beside[0], beside[1] - toward, size, sides(count, rng))


def awkward(kind, count, seed):
    """Tangents and what is a little off them, ends on surfaces, in planes, on axes, coincident."""
    rng = np.random.default_rng(seed)
    size = sizes(kind, count, rng)
    point, normal = surface(kind, size, rng)
    along = np.cross(normal, rng.normal(size=(count, 3)))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    off = rng.choice([0.0, 1e-15, -1e-12, 1e-9, -1e-9, -1e-6], (count, 1)) * normal
    p1 = point + off + rng.uniform(0.05, 0.3, (count, 1)) * along
    p2 = point + off - rng.uniform(0.05, 0.3, (count, 1)) * along
    case = np.arange(count) % 8
    p1 = np.where((case == 1)[:, None], point, p1)  # an end on the surface
    p2 = np.where((case == 2)[:, None], point + off, p2)
    p2 = np.where((case == 3)[:, None], -p1, p2)  # through the center
    p1, p2 = (np.where((case == 4)[:, None], p * [1.0, 0.0, 1.0], p) for p in (p1, p2))
    p1, p2 = (np.where((case == 5)[:, None], p * [0.0, 0.0, 3.0], p) for p in (p1, p2))
    p2 = np.where((case == 6)[:, None], p1, p2)
    p1 = np.where((case == 7)[:, None], 0.0, p1)
    return Pieces(p1, p2, size, sides(count, rng))


def check_slopes(kind, count, seed):
    pieces = anywhere(kind, count, seed)
    value, slopes = programs(kind)
    _, there = value(*pieces)
    assert 0.3 < np.mean(there) < 1.0
    rng = np.random.default_rng(seed + 1)
    directions = rng.normal(size=(2, count, 3)) / np.sqrt(6)
    ends = list(zip(pieces[:2], directions, strict=True))
    by_ends = zip(slopes(*pieces), directions, strict=True)
    slope = sum(np.einsum("nij,nj->ni", np.asarray(one), d) for one, d in by_ends)
    off, off_on_one_side = [], []
    for h in STEPS:
        ahead, here, behind = (
            np.asarray(value(*(p + s * h * d for p, d in ends), *pieces[2:])[0]) for s in (1, 0, -1)
        )
        between = (ahead - behind) / 2, ahead - here, here - behind
        errors = [np.abs(one / h - slope) / np.maximum(1.0, np.abs(slope)) for one in between]
        central, *sides = (error.max(axis=1) for error in errors)
        off.append(central)
        off_on_one_side.append(np.minimum(*sides))
    assert (off[0] > TOLERANCE).mean() < 0.05
    rest = np.min(off, axis=0) > TOLERANCE
    # At a few pieces rounding itself decides how many steps are made: the slope is that of a side,
    # if they do not jump to both.
    assert rest.mean() < 2e-3
    assert (np.min(off_on_one_side, axis=0)[rest] > ONE_SIDED).sum() <= count // 5000


def check_finite(kind, count, seed):
    pieces = awkward(kind, count, seed)
    value, slopes = programs(kind)
    found, there = value(*pieces)
    assert 0.05 < np.mean(there) < 0.95
    for values in (found, *slopes(*pieces)):
        odd = ~np.isfinite(np.asarray(values)).reshape(count, -1).all(axis=1)
        assert not odd.any(), (np.flatnonzero(odd)[:8], odd.sum())


SOME = ["ellipsoid", pytest.param("torus", marks=pytest.mark.thorough)]


@pytest.mark.parametrize("kind", SOME)
def test_slopes_are_those_of_differences(kind):
    check_slopes(kind, COUNT, seed=1)


@pytest.mark.parametrize("kind", SOME)
def test_slopes_are_finite_at_tangents_and_on_surfaces(kind):
    check_finite(kind, COUNT, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_slopes_of_many_pieces_are_finite_and_those_of_differences(kind):
    check_slopes(kind, MANY, seed=3)
    check_finite(kind, MANY, seed=4)
