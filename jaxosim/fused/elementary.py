"""Elementary functions as graphs of arithmetic, for float32 and float64.

For each function and format: its operations (nodes but constants, arguments and changes of type
alone), the largest error found in ulp, and where. One to forty million arguments were compared
with NumPy's functions of a wider format (float64, or x87's 80 bits), half of them equally dense in
their logarithm, as computed by LLVM's code for AVX-512. Only results that are normal numbers count.

========  =====  =====  =====  =====  ===============
function  ops32  ops64  ulp32  ulp64  arguments
========  =====  =====  =====  =====  ===============
exp          16     22   0.89   0.89  all
exp2         15     22   0.82   0.99  all
expm1        22     27   1.18   1.25  all
log          29     32   0.99   0.92  normal x
log1p        37     40   1.03   1.05  |x| > 1e-37
logistic     22     28   1.58   1.66  all
pow          67    114   0.92   1.21  normal x
sin          27     33   0.87   0.87  |x| <= 1e4; 1e6
cos          28     34   0.88   0.87  |x| <= 1e4; 1e6
tan          43     49   1.12   1.02  |x| <= 1e4; 1e6
asin         21     30   1.09   1.10  all
acos         24     33   1.58   1.58  all
atan         22     33   1.24   1.22  all
atan2        34     45   1.62   1.60  normal y, x
sinh         27     36   1.62   1.60  all
cosh         17     23   1.33   1.33  all
tanh         30     43   1.54   1.51  all
asinh        41     44   1.70   1.63  |x| > 1e-37
acosh        44     47   1.82   1.60  all
atanh        39     42   2.02   1.95  |x| > 1e-37
cbrt         22     29   0.98   0.97  normal x
erf          34     59   1.03   1.17  all
rsqrt         2      2   1.49   1.49  normal x
sign          4      4   0.00   0.00  all
square        1      1   0.50   0.50  all
========  =====  =====  =====  =====  ===============

Sine and cosine of one argument take 31 (37) operations together, sinh and cosh 28 (37), a power
with a constant exponent 52 (100).

- Special values are IEEE 754's, NaN and the signs of zeros included. What is not: subnormal results
  and those up to sqrt 2 times the smallest normal number may be zero (exp, exp2, pow, logistic);
  the logarithm and powers of a subnormal number are only roughly right, or those of zero where the
  processor takes it for zero; its cube root is wrong by orders of magnitude; its log1p, asinh and
  atanh may be zero.
- Beyond their range sine and cosine lose accuracy gradually near their zeros: up to 1e5 those of
  float32 are wrong by less than 7e-8. Beyond 2^21 (float32) or 2^50 (float64) they are meaningless,
  and may be infinite or NaN.
- Every lane computes both sides of a choice; no operation has an integer out of range or a division
  of integers.

Methods: reduction by ln 2 and π/2 after Cody and Waite (Software Manual for the Elementary
Functions, 1980); rounding to an integer by a large summand, which leaves it in the last bits;
logarithms of float64 by s = f / (2 + f) as in fdlibm (Sun Microsystems 1993); sums and products of
two numbers after Dekker (Numer. Math. 18, 1971). The coefficients are our own, see
`elementary_coefficients`.
"""

from collections.abc import Callable

import numpy as np

from jaxosim.fused.elementary_angles import acos, asin, atan, atan2, cos, sin, tan
from jaxosim.fused.elementary_coefficients import COEFFICIENTS
from jaxosim.fused.elementary_power import power
from jaxosim.fused.elementary_terms import (
    Term,
    at_least,
    at_most,
    equal,
    exact_add,
    exact_sub,
    fast_two_sum,
    fma,
    polynomial,
    select,
    split,
    sqrt,
    times_power,
    twice_exp2,
    with_sign,
)
from jaxosim.fused.graph import Graph

# Constants as the sum of numbers of the format, each the nearest to what is left.
_LN2 = {
    "float32": (0.6931471824645996, -1.9046542121259336e-09),
    "float64": (0.6931471805599453, 2.3190468138462996e-17),
}
_LOG2_E = 1.4426950408889634

# ------------------------------------------------------------------------- exponentials


def _reduced_by_ln2(x: Term, shift: int) -> tuple[Term, Term, Term]:
    """Parts of x = n ln 2 + r, |r| <= ln 2 / 2.

    Returns:
      A term whose last bits are n + bias - shift, n, and r but for n times the low part of ln 2,
      exactly.
    """
    form = x.format
    magic = form.magic + form.bias - shift
    shifted = fma(x, x.of(_LOG2_E), magic)
    n = exact_sub(shifted, magic)
    return shifted, n, fma(n, -_LN2[x.dtype][0], x)


def _exp_between(x: Term, shift: int) -> Term:
    """2^(1 - shift) · exp(x), for arguments that keep n + bias - shift an exponent, or NaN."""
    shifted, n, head = _reduced_by_ln2(x, shift)
    r = fma(n, -_LN2[x.dtype][1], head)
    twice = polynomial(r, [2 * c for c in COEFFICIENTS["exp"][x.dtype]])
    return times_power(fma(r, fma(r, twice, 2.0), 2.0), shifted)


def exp(x: Term) -> Term:
    """e^x; below the smallest normal number, and up to a factor sqrt 2 above it, zero."""
    bias = x.format.bias
    return _exp_between(at_most(at_least(x, (1 - bias) * np.log(2)), (bias + 1.4) * np.log(2)), 1)


def exp2(x: Term) -> Term:
    """2^x; below the smallest normal number, and up to a factor sqrt 2 above it, zero."""
    bias = x.format.bias
    magic = x.format.magic + bias - 1
    x = at_most(at_least(x, 1 - bias), bias + 1.25)
    shifted = exact_add(x, magic)
    r = exact_sub(x, exact_sub(shifted, magic))
    return times_power(twice_exp2(r), shifted)


def expm1(x: Term) -> Term:
    """e^x - 1 = 2^n (e^r - 1) + 2^n - 1, computed as half of it, that 2^n may not overflow."""
    form = x.format
    within = at_most(at_least(x, -0.7 * (form.mantissa + 4)), (form.bias + 1.4) * np.log(2))
    shifted, n, head = _reduced_by_ln2(within, 1)
    low = n * -_LN2[x.dtype][1]
    r = head + low
    tail = fma(r * r, polynomial(r, COEFFICIENTS["exp"][x.dtype]), low)
    scale = (shifted.bits() << form.mantissa).as_float(form)
    half = fma(scale, tail, fma(scale, head, scale - 0.5))
    return with_sign(half * 2.0, x)


def logistic(x: Term) -> Term:
    """1 / (1 + e^-x) = a - a q with e = exp(-|x|), q = e / (1 + e), a = e below zero, else 1."""
    bias = x.format.bias
    small = _exp_between(at_least(-abs(x), (1 - bias) * np.log(2)), 1)
    factor = select(x < 0.0, small, 1.0)
    return fma(-factor, small / (1.0 + small), factor)


def _odd_series(x: Term, name: str) -> Term:
    """Odd polynomial x + x³ P(x²)."""
    square = x * x
    return fma(x * square, polynomial(square, COEFFICIENTS[name][x.dtype]), x)


def tanh(x: Term) -> Term:
    """Hyperbolic tangent, 1 - 2 / (1 + exp(2 |x|)) from 0.55 on."""
    size = at_most(abs(x), 0.38 * (x.format.mantissa + 3))
    large = 1.0 - 2.0 / (1.0 + _exp_between(size * 2.0, 1))
    return with_sign(select(size > 0.55, large, _odd_series(size, "tanh")), x)


def _half_exp(size: Term) -> Term:
    """e^size / 2."""
    return _exp_between(at_most(size, (size.format.bias + 2.4) * np.log(2)), 2)


def sinh(x: Term) -> Term:
    """Hyperbolic sine, from e^|x| from 1 on."""
    size = abs(x)
    half = _half_exp(size)
    large = half - 0.25 / half
    return with_sign(select(size > 1.0, large, _odd_series(size, "sinh")), x)


def cosh(x: Term) -> Term:
    """Hyperbolic cosine."""
    half = _half_exp(abs(x))
    return half + 0.25 / half


def erf(x: Term) -> Term:
    """Error function, 1 - exp(polynomial) from 1 on."""
    size = at_most(abs(x), 4.0 if x.dtype == "float32" else 5.95)
    small = fma(size, polynomial(size * size, COEFFICIENTS["erf_small"][x.dtype]), size)
    complement = _exp_between(polynomial(size, COEFFICIENTS["erf_large"][x.dtype]), 1)
    return with_sign(select(size > 1.0, 1.0 - complement, small), x)


# ------------------------------------------------------------------------- logarithms


def _log_of_parts(k: Term, f: Term, f_low: Term | None = None) -> Term:
    """Sum k ln 2 + log(1 + f + f_low), 1 + f between 1/sqrt 2 and sqrt 2."""
    high, low = _LN2[f.dtype]
    head = fma(k, high, f)
    error = exact_add(fma(k, high, -head), f)
    if f_low is not None:
        error = error + f_low
    table = COEFFICIENTS["log"][f.dtype]
    if f.dtype == "float32":
        tail = fma(f * f, polynomial(f, table), error)
    else:
        s = f / (f + 2.0)
        z = s * s
        tail = fma(-s, fma(-z, polynomial(z, table), f), error)
    return exact_add(head, fma(k, low, tail))


def log(x: Term) -> Term:
    """Natural logarithm; that of a subnormal number is only roughly right."""
    _, k, f = split(x)
    result = _log_of_parts(k, f)
    return _log_at_the_ends(x, select(x < np.inf, result, x))


def _log_at_the_ends(x: Term, result: Term) -> Term:
    return select(x > 0.0, result, select(equal(x, 0.0), -np.inf, x.of(np.nan)))


def _log1p_of_eighth(eighth: Term, low: Term | None = None) -> Term:
    """log(1 + 8 (x + low)), that nothing overflow, for sums above zero; infinity and NaN stay."""
    form = eighth.format
    one_more = eighth + 0.125
    stored, k, _ = split(one_more, 3)
    scale = (stored.of(form.bits(8.0)) - stored).as_float(form)
    rest = fma(scale, 0.125, -1.0)
    f = fma(eighth, scale, rest)
    f_low = fma(eighth, scale, exact_sub(rest, f))
    if low is not None:
        f_low = fma(low, scale, f_low)
    return select(eighth < np.inf, _log_of_parts(k, f, f_low), eighth)


def log1p(x: Term) -> Term:
    """log(1 + x)."""
    eighth = x * 0.125
    result = with_sign(_log1p_of_eighth(eighth), x)
    return _log_at_the_ends(eighth + 0.125, result)


def asinh(x: Term) -> Term:
    """Inverse hyperbolic sine, log1p(|x| + |x| q) with q = |x| / (1 + sqrt(1 + x²))."""
    size = abs(x)
    # From there on q is one, and the square shall not overflow.
    bounded = at_most(size, 2.0 ** (x.format.bias // 3))
    q = bounded / (1.0 + sqrt(fma(bounded, bounded, 1.0)))
    eighth = size * 0.125
    return with_sign(_log1p_of_eighth(fma(eighth, q, eighth)), x)


def acosh(x: Term) -> Term:
    """Inverse hyperbolic cosine, log1p(t + sqrt(t² + 2 t)) with t = x - 1."""
    t = exact_sub(x, 1.0)
    root = select(t < 2.0 ** (x.format.bias // 3), sqrt(fma(t, t, t + t)), t)
    result = _log1p_of_eighth(*fast_two_sum(root * 0.125, t * 0.125))
    return select(x < 1.0, x.of(np.nan), result)


def atanh(x: Term) -> Term:
    """Inverse hyperbolic tangent, log1p(2 |x| / (1 - |x|)) / 2."""
    size = abs(x)
    result = _log1p_of_eighth(size * 0.25 / (1.0 - size))
    return with_sign(select(size > 1.0, x.of(np.nan), result * 0.5), x)


# ------------------------------------------------------------------------- others


def square(x: Term) -> Term:
    """x²."""
    return x * x


def rsqrt(x: Term) -> Term:
    """1 / sqrt x."""
    return 1.0 / sqrt(x)


def sign(x: Term) -> Term:
    """-1, 0 or 1; zeros and NaN stay."""
    return select(x > 0.0, 1.0, select(x < 0.0, -1.0, x))


# The bits of size^(-1/3), or of float64 their upper half, are nearly this less a third of the bits.
_CBRT_BITS = {"float32": 1419908864.0, "float64": 1430187409.0}


def _inverse_cbrt_guess(size: Term) -> Term:
    """size^(-1/3) with an error up to 3.4 %, by a third of the exponent (Kahan)."""
    form, bits = size.format, _CBRT_BITS[size.dtype]
    if size.dtype == "float32":
        third = fma(size.bits().convert("float32"), size.of(-1 / 3), bits)
        return third.convert("int32").as_float(form)
    # As last bits of a double: AVX2 has no conversion of 64-bit integers.
    upper = (size.bits().make("shr", 32) | form.bits(2.0**52)).as_float(form)
    third = fma(upper, size.of(-1 / 3), form.magic + bits + 2.0**52 / 3)
    return (third.bits() << 32).as_float(form)


def cbrt(x: Term) -> Term:
    """Cube root; of subnormal numbers meaningless."""
    size = abs(x)
    y = _inverse_cbrt_guess(size)
    for _ in range(1 if x.dtype == "float32" else 2):
        h = fma(-(size * y), y * y, 1.0)
        y = fma(h * y, fma(h, 2 / 9, 1 / 3), y)
    root = size * (y * y)
    h = fma(-root, y, 1.0)
    factor = fma(h, 5 / 9, 2 / 3) if x.dtype == "float32" else x.of(2 / 3)
    root = fma(root * h, factor, root)
    return with_sign(select(size < np.inf, root, size), x)


def _expansion(function: Callable[..., Term]) -> Callable[..., int]:
    def expand(graph: Graph, *nodes: int) -> int:
        return function(*(Term(graph, node) for node in nodes)).node

    expand.__doc__ = function.__doc__
    return expand


EXPANSIONS: dict[str, Callable[..., int]] = {
    name: _expansion(function)
    for name, function in {
        "exp": exp,
        "exp2": exp2,
        "expm1": expm1,
        "log": log,
        "log1p": log1p,
        "logistic": logistic,
        "pow": power,
        "sin": sin,
        "cos": cos,
        "tan": tan,
        "asin": asin,
        "acos": acos,
        "atan": atan,
        "atan2": atan2,
        "sinh": sinh,
        "cosh": cosh,
        "tanh": tanh,
        "asinh": asinh,
        "acosh": acosh,
        "atanh": atanh,
        "cbrt": cbrt,
        "erf": erf,
        "rsqrt": rsqrt,
        "sign": sign,
        "square": square,
    }.items()
}
