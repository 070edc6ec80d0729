"""Small trees with every class of joint, in files that OpenSim reads too."""

import numpy as np

from tests.models import osim_text as osim

KINDS = {
    "PinJoint": 1,
    "SliderJoint": 1,
    "PlanarJoint": 3,
    "UniversalJoint": 2,
    "GimbalJoint": 3,
    "BallJoint": 3,
    "FreeJoint": 6,
}


X, Y, Z = "1 0 0", "0 1 0", "0 0 1"


OBLIQUE = ("0.2 -0.1 1", "1 0.3 0", "0.1 1 -0.2")


def constant(value):
    return f'<Constant name="function"><value>{value}</value></Constant>'


def spline(*y):
    x = np.linspace(-2.0, 2.0, len(y))
    return osim.element("SimmSpline", "function", x=" ".join(map(str, x)), y=" ".join(map(str, y)))


def transform(*axes):
    """A SpatialTransform of six (coordinates, direction, function)."""
    names = [f"{kind}{i}" for kind in ("rotation", "translation") for i in (1, 2, 3)]
    return "".join(osim.axis(n, *a) for n, a in zip(names, axes, strict=True))


STILL = tuple(("", axis, constant(0)) for axis in (X, Y, Z))


CUSTOM = {
    "hip": (
        "f a r",
        [
            ("f", Z, osim.linear()),
            ("a", "-1 0 0", osim.linear()),
            ("r", "0 -1 0", osim.linear()),
            *STILL,
        ],
    ),
    "oblique": (
        "a b c",
        [
            ("a", OBLIQUE[0], osim.linear("-1 0.2")),
            ("b", OBLIQUE[1], osim.linear("0.5 0")),
            ("c", OBLIQUE[2], spline(0.1, 0.9, -0.2, 0.4, 0.3)),
            ("a", "1 1 0", spline(0.01, 0.05, 0.0)),
            ("", Y, constant(0.3)),
            ("c", Z, osim.linear("0.2 0.1")),
        ],
    ),
    "one drives three": (
        "k",
        [
            ("k", OBLIQUE[0], osim.linear()),
            ("k", OBLIQUE[1], spline(0.1, 0.4, -0.2, 0.5)),
            ("k", OBLIQUE[2], spline(-0.3, 0.2, 0.1, 0.0, 0.6)),
            ("k", X, spline(0.0, 0.05, 0.02, 0.01)),
            *STILL[1:],
        ],
    ),
    "reused": (
        "a b",
        [
            ("a", Z, osim.linear()),
            ("b", X, osim.linear()),
            ("a", Y, osim.linear("0.7 0.1")),
            *STILL,
        ],
    ),
    "constant first": (
        "a b",
        [("", Z, constant(0.6)), ("a", X, osim.linear()), ("b", Y, osim.linear()), *STILL],
    ),
    "two arguments": (
        "a b",
        [
            ("a b", Z, osim.linear("0.5 0.3 0.1")),
            ("b", X, osim.linear()),
            ("a", Y, osim.linear()),
            *STILL,
        ],
    ),
}


def _named(count, prefix):
    return osim.coordinates(*(f"{prefix}{i}" for i in range(count)))


def _placed(name, parent, child, inside, kind):
    """A joint between displaced and turned frames of two bodies."""
    frames = osim.frames(
        osim.offset(f"{name}_p", parent, "0.1 -0.2 0.05", "0.3 -0.2 0.5"),
        osim.offset(f"{name}_c", child, "-0.03 0.1 0.02", "-0.4 0.1 0.2"),
    )
    return osim.joint(kind, name, f"{name}_p", f"{name}_c", inside + frames)


def _body(name):
    return osim.body(
        name, "1.5", mass_center="0.05 -0.03 0.02", inertia="0.2 0.3 0.25 0.02 -0.01 0.03"
    )


def forest(turned=False):
    """Every built-in joint on ground, each with a pin on its body; optionally written backwards."""
    bodies, joints = "", ""
    for kind, count in KINDS.items():
        root, tip = f"r{kind}", f"t{kind}"
        bodies += _body(root) + _body(tip)
        ends = ("/ground", f"/bodyset/{root}")
        joints += _placed(f"j{kind}", *(ends[::-1] if turned else ends), _named(count, kind), kind)
        ends = (f"/bodyset/{root}", f"/bodyset/{tip}")
        joints += _placed(
            f"p{kind}", *(ends[::-1] if turned else ends), _named(1, f"q{kind}"), "PinJoint"
        )
    return osim.model(bodies=bodies, joints=joints)


def custom_forest(turned=False):
    """Every custom joint on ground, with a pin on its body."""
    bodies, joints = "", ""
    for number, (names, axes) in enumerate(CUSTOM.values()):
        root, tip = f"r{number}", f"t{number}"
        bodies += _body(root) + _body(tip)
        renamed = {name: f"{name}{number}" for name in names.split()}
        axes = [
            (" ".join(renamed[c] for c in names.split()), axis, function)
            for names, axis, function in axes
        ]
        inside = osim.coordinates(*renamed.values())
        inside += f"<SpatialTransform>{transform(*axes)}</SpatialTransform>"
        ends = ("/ground", f"/bodyset/{root}")
        joints += _placed(f"j{number}", *(ends[::-1] if turned else ends), inside, "CustomJoint")
        ends = (f"/bodyset/{root}", f"/bodyset/{tip}")
        joints += _placed(f"p{number}", *ends, _named(1, f"pin{number}"), "PinJoint")
    return osim.model(bodies=bodies, joints=joints)


FORESTS = {
    "built-in": forest(),
    "built-in, reversed": forest(turned=True),
    "custom": custom_forest(),
    "custom, reversed": custom_forest(turned=True),
}


def poses(model, count, seed):
    rng = np.random.default_rng(seed)
    shape = (count, len(model.coordinate_names))
    return rng.uniform(-1.2, 1.2, shape), 2 * rng.standard_normal(shape)
