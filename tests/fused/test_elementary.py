"""The elementary functions beside NumPy's of a wider format, and at the edges of their domains."""

import functools
import re

import numpy as np
import pytest

from jaxosim.fused import elementary
from jaxosim.fused.elementary import EXPANSIONS
from jaxosim.fused.graph import WORLD, Graph
from tests.fused.evaluate import evaluate, operation_count

DTYPES = ("float32", "float64")
WIDER = {"float32": np.float64, "float64": np.longdouble}
COUNT = 6000
# No wider format than double on some machines: there is nothing to compare doubles with.
HAS_LONG_DOUBLE = np.finfo(np.longdouble).nmant > 60
BINARY = ("atan2", "pow")


def erf(x):
    """By its series of positive terms."""
    term = total = x
    for k in range(1, 190):
        term = term * (2 * x * x / (2 * k + 1))
        total = total + term
    return total * np.exp(-x * x) / np.sqrt(np.arctan(x.dtype.type(1)))


REFERENCES = {
    **{name: getattr(np, name) for name in ("exp", "exp2", "expm1", "log", "log1p", "sin", "cos")},
    **{
        name: getattr(np, name)
        for name in ("tan", "sinh", "cosh", "tanh", "cbrt", "sign", "square")
    },
    **{name: getattr(np, f"arc{name[1:]}") for name in ("asin", "acos", "atan", "atan2")},
    **{name: getattr(np, f"arc{name[1:]}") for name in ("asinh", "acosh", "atanh")},
    "pow": np.power,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "erf": erf,
}

# Largest error (ulp) allowed of float32 and float64; ranges of |x|; -1, 0 or 1 for arguments below
# zero, of both signs, above zero.
_SMALL = {"float32": 1e-35, "float64": 1e-300}
_TINY = {"float32": 1.3e-38, "float64": 2.3e-308}
_LARGE = {"float32": 3.3e38, "float64": 1.7e308}
_CASES = [
    ("exp", (0.9, 0.9), _SMALL, {"float32": 88.7, "float64": 709.7}, 0),
    ("exp", (0.9, 0.9), 0.1, 10, 0),
    ("exp2", (0.9, 1.1), _SMALL, {"float32": 127.9, "float64": 1023.9}, 0),
    ("exp2", (0.9, 1.1), 0.1, 10, 0),
    ("expm1", (1.3, 1.3), _SMALL, {"float32": 88.7, "float64": 709.7}, 0),
    ("expm1", (1.3, 1.3), 0.01, 3, 0),
    ("log", (1, 1), _TINY, _LARGE, 1),
    ("log", (1, 1), 0.3, 3, 1),
    ("log1p", (1.2, 1.2), _SMALL, _LARGE, 1),
    ("log1p", (1.2, 1.2), 0.01, 10, 1),
    ("log1p", (1.2, 1.2), _SMALL, 0.9999, -1),
    ("sin", (0.9, 0.9), _SMALL, {"float32": 1e4, "float64": 1e6}, 0),
    ("sin", (0.9, 0.9), 0.1, 7, 0),
    ("cos", (0.9, 0.9), _SMALL, {"float32": 1e4, "float64": 1e6}, 0),
    ("cos", (0.9, 0.9), 0.1, 7, 0),
    ("tan", (1.2, 1.2), _SMALL, {"float32": 1e4, "float64": 1e6}, 0),
    ("tan", (1.2, 1.2), 0.1, 7, 0),
    ("asin", (1.2, 1.2), _SMALL, 1, 0),
    ("acos", (1.7, 1.7), _SMALL, 1, 0),
    ("atan", (1.3, 1.3), _SMALL, _LARGE, 0),
    ("atan", (1.3, 1.3), 0.1, 10, 0),
    ("sinh", (1.7, 1.7), _SMALL, {"float32": 89.4, "float64": 710.4}, 0),
    ("sinh", (1.7, 1.7), 0.1, 5, 0),
    ("cosh", (1.4, 1.4), _SMALL, {"float32": 89.4, "float64": 710.4}, 0),
    ("cosh", (1.4, 1.4), 0.1, 5, 0),
    ("tanh", (1.6, 1.6), _SMALL, 100, 0),
    ("tanh", (1.6, 1.6), 0.01, 3, 0),
    ("asinh", (1.8, 1.8), _SMALL, _LARGE, 0),
    ("asinh", (1.8, 1.8), 0.01, 10, 0),
    ("acosh", (1.9, 1.8), 1, _LARGE, 1),
    ("acosh", (1.9, 1.8), 1, 3, 1),
    ("atanh", (2.1, 2.0), _SMALL, 0.99999, 0),
    ("cbrt", (1, 1), _TINY, _LARGE, 0),
    ("cbrt", (1, 1), 1, 8, 0),
    ("logistic", (1.7, 1.8), _SMALL, {"float32": 86, "float64": 707}, 0),
    ("logistic", (1.7, 1.8), 0.1, 10, 0),
    ("rsqrt", (1.5, 1.5), _TINY, _LARGE, 1),
    ("erf", (1.2, 1.2), _SMALL, 7, 0),
    ("sign", (0, 0), _TINY, 7, 0),
    ("square", (0.5, 0.5), {"float32": 1e-18, "float64": 1e-153}, 1e18, 0),
]


@pytest.fixture
def run():
    """Computes a function of arrays by its graph; another back end may stand here."""
    return functools.partial(run_with, evaluate)


def built(name, dtype):
    graph = Graph()
    count = 2 if name in BINARY else 1
    arguments = [graph.node("argument", (), dtype, (i, 0), WORLD) for i in range(count)]
    return graph, EXPANSIONS[name](graph, *arguments)


def run_with(evaluator, name, *inputs):
    graph, result = built(name, inputs[0].dtype.name)
    return evaluator(graph, [result], list(inputs))[0]


def of(value, dtype):
    return value[dtype] if isinstance(value, dict) else value


def sample(dtype, low, high, sign, seed=0):
    """Numbers equally dense in the logarithm, and as many equally dense themselves."""
    rng = np.random.default_rng(seed)
    low, high = float(np.dtype(dtype).type(low)), float(np.dtype(dtype).type(high))
    even = np.exp(rng.uniform(np.log(low), np.log(high), COUNT)).clip(low, high)
    x = np.concatenate([[low, high], even, rng.uniform(low, high, COUNT)])
    x = np.concatenate([x, -x]) if sign == 0 else sign * x
    return rng.permutation(x).astype(dtype)


def reference(name, *inputs):
    with np.errstate(all="ignore"):
        return REFERENCES[name](*(x.astype(WIDER[x.dtype.name]) for x in inputs))


def largest_error(got, exact):
    """In ulp, of results that are normal numbers."""
    limits = np.finfo(got.dtype)
    with np.errstate(over="ignore"):
        rounded = np.abs(exact.astype(got.dtype))
    normal = (rounded >= 2 * limits.tiny) & (rounded <= limits.max)
    assert normal.mean() > 0.1
    unit = np.spacing(rounded[normal]).astype(exact.dtype)
    return np.max(np.abs(got[normal] - exact[normal]) / unit)


def check(run, name, bound, *inputs):
    got = run(name, *inputs)
    assert got.dtype == inputs[0].dtype
    assert largest_error(got, reference(name, *inputs)) <= bound


def dtypes_of_tests(function):
    lacks = pytest.mark.skipif(not HAS_LONG_DOUBLE, reason="no format wider than double")
    marked = ["float32", pytest.param("float64", marks=lacks)]
    return pytest.mark.parametrize("dtype", marked)(function)


@dtypes_of_tests
@pytest.mark.parametrize(("name", "bounds", "low", "high", "sign"), _CASES)
def test_error(run, dtype, name, bounds, low, high, sign):
    x = sample(dtype, of(low, dtype), of(high, dtype), sign)
    check(run, name, bounds[DTYPES.index(dtype)], x)


@dtypes_of_tests
def test_error_of_atan2(run, dtype):
    for low, high in ((0.5, 2), (1e-3, 1e3), (_SMALL[dtype], _LARGE[dtype])):
        check(run, "atan2", 1.8, *(sample(dtype, low, high, 0, seed) for seed in (1, 2)))


@dtypes_of_tests
def test_error_of_powers(run, dtype):
    rng = np.random.default_rng(3)
    most = 0.99 * np.log(float(np.finfo(dtype).max))
    for x in (sample(dtype, _TINY[dtype], _LARGE[dtype], 1), sample(dtype, 0.5, 2, 1)):
        logarithm = np.log(x.astype(np.float64))
        y = rng.uniform(-most, most, x.size) / np.where(logarithm == 0, 1, logarithm)
        check(run, "pow", 1.3, x, y.astype(dtype))
        for exponent in (0.5, 1.5, -2, 1 / 3, 3):
            check(run, "pow", 1.3, x, np.full_like(x, exponent))


def test_sines_of_large_arguments_go_wrong_gracefully(run):
    x = sample("float32", 1e4, 1e5, 0)
    assert np.max(np.abs(run("sin", x) - np.sin(x.astype(float)))) < 7e-8
    assert np.max(np.abs(run("cos", x) - np.cos(x.astype(float)))) < 7e-8


def edges(dtype):
    limits = np.finfo(dtype)
    values = [0, np.inf, 0.5, 1, 1 + limits.eps, 1 - limits.epsneg, 2, 2.5, 3, 1000, 20000]
    values += [16 * limits.tiny, limits.max]
    odd_nans = np.array([0x7FC12345, 0xFFC00001], np.uint32).view(np.float32)
    return np.array([*values, *(-v for v in values), np.nan, *odd_nans], dtype)


# Beyond their range, where float64 may have the result of the wider format.
_PERIODIC = ("sin", "cos", "tan")


@dtypes_of_tests
@pytest.mark.parametrize("name", sorted(EXPANSIONS))
def test_edges(run, dtype, name):
    inputs = [edges(dtype)]
    if name in BINARY:
        inputs = [x.ravel() for x in np.meshgrid(*(2 * inputs))]
    if name in _PERIODIC:
        inputs = [x[np.isinf(x) | ~(np.abs(x) > 1e4)] for x in inputs]
    got, exact = run(name, *inputs), reference(name, *inputs)
    with np.errstate(all="ignore"):
        if name == "erf":
            exact = np.where(np.abs(inputs[0]) > 6, np.sign(inputs[0]), exact)
            exact = np.where(inputs[0] == 0, inputs[0], exact)
        if name == "sign":
            exact = np.where(inputs[0] == 0, inputs[0], exact)
        rounded = exact.astype(dtype)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(rounded))
    known = ~np.isnan(rounded)
    np.testing.assert_array_equal(np.signbit(got[known]), np.signbit(rounded[known]))
    flushed = (got == 0) & (np.abs(rounded) < 1.5 * np.finfo(dtype).tiny)
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(got - rounded) <= 3 * np.spacing(np.abs(rounded))
    assert np.all((close | (got == rounded) | flushed)[known])


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponential_runs_out_on_both_sides(run, dtype):
    limits = np.finfo(dtype)
    low, high = np.log(float(limits.tiny)), np.log(float(limits.max))
    x = np.array([low - 1, low * 2, -limits.max, high + 0.01, high * 2, limits.max], dtype)
    np.testing.assert_array_equal(run("exp", x), [0, 0, 0, np.inf, np.inf, np.inf])
    just_inside = run("exp", np.array([high * (1 - 1e-6)], dtype))
    assert np.isfinite(just_inside)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["exp", "log", "atan", "tanh", "asinh", "cbrt", "logistic", "erf"])
def test_monotone(run, dtype, name):
    low, high = (0.01, 50) if name == "log" else (-30, 30)
    got = run(name, np.linspace(low, high, 20001).astype(dtype))
    back = got[:-1] - got[1:]
    assert np.all(back <= np.spacing(np.abs(got[1:])))  # one rounding error at the most
    assert got[-1] > got[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponential_never_falls_between_neighbors(run, dtype):
    x = np.nextafter(np.linspace(-5, 5, 4001).astype(dtype), np.dtype(dtype).type(10))
    above = np.nextafter(x, np.dtype(dtype).type(10))
    assert np.all(run("exp", above) >= run("exp", x))


ODD = ("sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "cbrt", "erf", "sign")


@pytest.mark.parametrize("dtype", DTYPES)
def test_symmetry(run, dtype):
    x = np.concatenate([[0], sample(dtype, 1e-20, 1, 1), sample(dtype, 1, 50, 1)]).astype(dtype)
    for name in ODD:
        np.testing.assert_array_equal(run(name, -x), -run(name, x))
        assert np.signbit(run(name, np.array([-0.0], dtype)))
    for name in ("cos", "cosh"):
        np.testing.assert_array_equal(run(name, -x), run(name, x))
    np.testing.assert_array_equal(run("atan2", -x, x), -run("atan2", x, x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_identities(run, dtype):
    x = sample(dtype, 1e-3, 1e3, 0)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(run("sin", x) ** 2 + run("cos", x) ** 2, 1, rtol=4 * eps)
    y = sample(dtype, 1e-3, 80, 0)
    np.testing.assert_allclose(run("exp", y) * run("exp", -y), 1, rtol=4 * eps)
    np.testing.assert_allclose(run("cbrt", x) ** 3, x, rtol=4 * eps)
    np.testing.assert_allclose(run("tanh", y), np.tanh(y), rtol=4 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_powers_are_exact_where_they_can_be(run, dtype):
    x, y = (np.array(v, dtype) for v in ((2, 3, -2, 4, -3, 10, 8), (10, 4, 3, 0.5, 2, 5, -1)))
    np.testing.assert_array_equal(run("pow", x, y), [1024, 81, -8, 2, 9, 1e5, 0.125])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(EXPANSIONS))
def test_constants_fold_to_what_is_computed(run, dtype, name):
    inputs = [np.array([0.7], dtype), np.array([-1.3], dtype)][: 1 + (name in BINARY)]
    graph = Graph()
    result = EXPANSIONS[name](graph, *(graph.const(x[0], dtype) for x in inputs))
    folded, computed = graph.value(result), run(name, *inputs)[0]
    np.testing.assert_allclose(folded, computed, rtol=np.finfo(dtype).eps)


def test_sine_and_cosine_share_their_reduction():
    graph = Graph()
    x = graph.node("argument", (), "float32", (0, 0), WORLD)
    both = [EXPANSIONS[name](graph, x) for name in ("sin", "cos")]
    assert operation_count(graph, both) < operation_count(graph, both[:1]) + 5


def test_the_table_counts_operations():
    rows = re.findall(r"^(\w+) +(\d+) +(\d+) ", elementary.__doc__, re.MULTILINE)
    stated = {name: list(counts) for name, *counts in rows}
    counted = {
        name: [str(operation_count(g, [n])) for g, n in (built(name, t) for t in DTYPES)]
        for name in EXPANSIONS
    }
    assert stated == counted


def test_every_function_is_compared():
    compared = {name for name, *_ in _CASES} | {"atan2", "pow"}
    assert compared == set(EXPANSIONS) == set(REFERENCES)
