"""What loading costs: in proportion to the file, or refused with the bound in the message."""

import time
import tracemalloc

import pytest

from jaxosim.errors import OsimFormatError
from jaxosim.models.compile import compile_model
from jaxosim.models.osim.reader import parse_model
from tests.models.osim_text import (
    axis,
    body,
    contact,
    custom,
    element,
    joint,
    members,
    model,
    muscle,
    pin,
    point,
)

SECONDS = 20.0  # generous: an idle machine needs a tenth
BYTES = 400e6  # likewise


def path(count, kind="PathPoint"):
    """Points of a path from ground to body a; those in between of a kind."""
    at = {"range": "-1 1", "socket_coordinate": "/jointset/j/q"} if kind != "PathPoint" else {}
    middle = [point(f"c{i}", "/bodyset/a", kind, **at) for i in range(count - 2)]
    return "".join([point("p"), *middle, point("q", "/bodyset/a")])


def spline(count, name="function"):
    x = " ".join(str(i / count) for i in range(count))
    return element("SimmSpline", name, x=x, y=x)


def chain(count):
    bodies = "".join(body(f"b{i}", mass_center="0.1 0 0") for i in range(count))
    parents = ["/ground", *(f"/bodyset/b{i}" for i in range(count))]
    joints = (pin(f"j{i}", parents[i], f"/bodyset/b{i}", f"q{i}") for i in range(count))
    return model(bodies=bodies, joints="".join(joints))


def welded(count):
    bodies = "".join(body(f"b{i}") for i in range(count))
    parents = ["/bodyset/a", *(f"/bodyset/b{i}" for i in range(count))]
    joints = (joint("WeldJoint", f"w{i}", parents[i], f"/bodyset/b{i}") for i in range(count))
    return model(bodies=body("a") + bodies, joints=pin() + "".join(joints))


def long_beside_short(knots, count=40):
    """Joints whose translation is a spline of two knots, and one of many."""
    bodies = "".join(body(f"b{i}") for i in range(count + 1))
    joints = "".join(
        custom(
            axis("translation1", f"q{i}", "1 0 0", spline(2 if i else knots)),
            name=f"j{i}",
            child=f"/bodyset/b{i}",
        )
        for i in range(count + 1)
    )
    return model(bodies=bodies, joints=joints)


def spheres(count):
    shapes = [
        element("ContactSphere", f"s{i}", socket_frame="/bodyset/a", radius="0.1")
        for i in range(count)
    ]
    names = " ".join(f"s{i}" for i in range(count))
    return model(contact(names), rest=members("ContactGeometrySet", *shapes))


LOADED = {
    "points of a path": lambda: model(muscle(points=path(3000))),
    "muscles": lambda: model(*(muscle(f"m{i}", points=path(2)) for i in range(2000))),
    "conditional points apart": lambda: model(
        *(muscle(f"m{i}", points=path(5, "ConditionalPathPoint")) for i in range(300))
    ),
    "knots": lambda: model(joints=custom(axis("translation1", "q", "1 0 0", spline(20_000)))),
    "one long function": lambda: long_beside_short(20_000),
    "chain": lambda: chain(600),
    "welds": lambda: welded(3000),
    "contact geometries": lambda: spheres(500),
}
REFUSED = {
    "conditional points in a row": (
        lambda: model(muscle(points=path(400, "ConditionalPathPoint"))),
        "at most 4000000 pairs.*'p', 399 in a row",
    ),
    "bodies without joints": (
        lambda: model(bodies="".join(body(f"b{i}") for i in range(2000)), joints=""),
        "at most 2000 coordinates, found 12000",
    ),
    "long chain": (lambda: chain(6000), "at most 2000 coordinates, found 6000"),
    "very long function": (
        lambda: long_beside_short(200_000),
        "longest SimmSpline to be at most 4000000, found 41 times 200000",
    ),
    "long path beside many": (
        lambda: model(
            muscle(
                "long",
                points="".join(
                    point(f"p{i}", f"/{b}") for i in range(2000) for b in ("ground", "bodyset/a")
                ),
            ),
            *(muscle(f"m{i}", points=path(2)) for i in range(2000)),
        ),
        "moment arms.*at most 4000000, found 2001 times 3999",
    ),
    "pairs": (lambda: spheres(2000), "at most 500000 pairs.*found 2000"),
}


def compiled(text):
    """The model, within the bounds of time and memory."""
    data = text.encode()
    start = time.process_time()
    tracemalloc.start()
    try:
        return compile_model(parse_model(data, "test"))
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert time.process_time() - start < SECONDS
        assert peak < BYTES


def some(cases, *thorough):
    """Names of cases, those that take longest marked as thorough."""
    return [pytest.param(n, marks=pytest.mark.thorough if n in thorough else []) for n in cases]


@pytest.mark.parametrize("name", some(LOADED, "chain", "welds"))
def test_large_models_load_at_a_cost_in_proportion(name):
    compiled(LOADED[name]())


@pytest.mark.parametrize(
    "name", some(REFUSED, "long chain", "very long function", "long path beside many")
)
def test_larger_ones_are_refused_with_the_bound(name):
    text, words = REFUSED[name]
    with pytest.raises(OsimFormatError, match=words) as error:
        compiled(text())
    assert str(error.value).startswith("test: ") and len(str(error.value)) < 500


GROWING = {
    "points of a path": lambda count: model(muscle(points=path(2 * count))),
    "muscles": lambda count: model(*(muscle(f"m{i}", points=path(2)) for i in range(count))),
}


@pytest.mark.parametrize("name", GROWING)
def test_time_grows_in_proportion_to_the_size(name):
    """For four times as much four times as long; sixteen times if every two met."""

    def seconds(count):
        data = GROWING[name](count).encode()
        start = time.process_time()
        compile_model(parse_model(data, "test"))
        return time.process_time() - start

    small, large = (min(seconds(count) for _ in range(2)) for count in (500, 2000))
    assert large < 8 * small
