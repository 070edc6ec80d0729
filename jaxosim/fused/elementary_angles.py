"""Trigonometric functions and their inverses."""

import numpy as np

from jaxosim.fused.elementary_coefficients import COEFFICIENTS
from jaxosim.fused.elementary_terms import (
    Term,
    at_least,
    at_most,
    differ,
    equal,
    exact_add,
    exact_sub,
    fma,
    horner,
    polynomial,
    select,
    sqrt,
    with_sign,
)

# Parts of π/2. The first is below it, that the next be positive: else -0 would become 0. The second
# has so few bits that its products with numbers of 13 (float32) or 20 bits are exact.
_HALF_PI = {
    "float32": (1.570796251296997, 7.549533620476723e-08, 2.5633440682570896e-12),
    "float64": (1.5707963267948966, 6.12323399538461e-17, 3.5215598651832e-27),
}


def _reduced(x: Term) -> tuple[Term, Term, Term, Term, Term]:
    """Quadrant q and the angle x - q π/2.

    The argument is reduced with π/2 in three parts (Cody and Waite 1980). All of it is exact but
    the last step, and what rounding leaves of r goes into sine and cosine.

    Returns:
      q in the last bits, then r, t, s and c: the sine is r + t, the cosine 1 + s c.
    """
    first, second, third = _HALF_PI[x.dtype]
    magic = x.format.magic
    shifted = fma(x, x.of(2 / np.pi), magic)
    n = exact_sub(shifted, magic)
    nearly = fma(n, -first, x)
    r = fma(n, -second, nearly)
    error = fma(n, -third, fma(n, -second, exact_sub(nearly, r)))
    square = fma(r, r, r * (error * 2.0))
    tail = fma(r * square, polynomial(square, COEFFICIENTS["sin"][x.dtype]), error)
    return shifted.bits(), r, tail, square, polynomial(square, COEFFICIENTS["cos"][x.dtype])


def _quadrant(x: Term) -> tuple[Term, Term, Term, Term]:
    """Quadrant q, whether it is an odd one, and sine and cosine of x - q π/2."""
    q, r, tail, square, factor = _reduced(x)
    # The sum has lost the sign of -0.
    sine = with_sign(exact_add(r, tail), r)
    return q, differ(q & 1, 0), sine, fma(square, factor, 1.0)


def _flip(value: Term, integer: Term) -> Term:
    """The value, negated where the first bit of an integer is set."""
    return (value.bits() ^ (integer & value.format.sign_mask)).as_float(value.format)


def sin(x: Term) -> Term:
    """Sine; beyond 2^21 (float32) or 2^50 (float64) meaningless."""
    q, odd, sine, cosine = _quadrant(x)
    return _flip(select(odd, cosine, sine), q << (8 * np.dtype(x.dtype).itemsize - 2))


def cos(x: Term) -> Term:
    """Cosine; beyond 2^21 (float32) or 2^50 (float64) meaningless."""
    q, odd, sine, cosine = _quadrant(x)
    shift = 8 * np.dtype(x.dtype).itemsize - 2
    return _flip(select(odd, sine, cosine), (q << shift) + (1 << shift))


def tan(x: Term) -> Term:
    """Tangent, sine by cosine, each with its rounding error; meaningless where they are."""
    _, r, tail, square, factor = _reduced(x)
    q, odd, sine, cosine = _quadrant(x)
    sine_low = exact_add(exact_sub(r, sine), tail)
    cosine_low = fma(square, factor, exact_sub(1.0, cosine))
    above, below = select(odd, cosine, sine), select(odd, sine, cosine)
    above_low, below_low = select(odd, cosine_low, sine_low), select(odd, sine_low, cosine_low)
    inverse = 1.0 / below
    ratio = above * inverse
    rest = fma(-ratio, below, above) + fma(-ratio, below_low, above_low)
    result = with_sign(fma(rest, inverse, ratio), ratio)
    return _flip(result, q << (8 * np.dtype(x.dtype).itemsize - 1))


def _asin_parts(x: Term) -> tuple[Term, Term, Term, Term]:
    """Parts of asin |x| = asin s, or beyond 0.55 of π/2 - 2 asin s with s² = (1 - |x|) / 2.

    Returns:
      Whether it is the latter, s², P(s²) of asin s = s + s³ P(s²), and 2 s of the latter.
    """
    size = abs(x)
    large = size > 0.55
    half = fma(size, -0.5, 0.5)
    square = select(large, half, x * x)
    return large, square, polynomial(square, COEFFICIENTS["asin"][x.dtype]), 2.0 * sqrt(half)


def asin(x: Term) -> Term:
    """Inverse sine."""
    large, square, series, double = _asin_parts(x)
    first, second, _ = _HALF_PI[x.dtype]
    factor = select(large, double, abs(x))
    low = select(large, x.of(-second), 0.0)
    angle = exact_add(factor, fma(factor * square, series, low))
    return with_sign(select(large, exact_sub(first, angle), angle), x)


def acos(x: Term) -> Term:
    """Inverse cosine."""
    large, square, series, double = _asin_parts(x)
    first, second, _ = _HALF_PI[x.dtype]
    angle = select(large, with_sign(double, x), -x)
    at_large = select(x < 0.0, x.of(2 * first), 0.0)
    base = select(large, at_large, first)
    tail = fma(angle * square, series, base * (second / first))
    return exact_add(exact_add(base, angle), tail)


def _atan_from(base: Term, t: Term) -> Term:
    """Sum of a multiple of π/2 and atan t."""
    first, second, _ = _HALF_PI[t.dtype]
    square = t * t
    # Its even and its odd part, of opposite signs, would be larger than the whole.
    series = horner(square, COEFFICIENTS["atan"][t.dtype])
    return exact_add(exact_add(base, t), fma(t * square, series, base * (second / first)))


def atan(x: Term) -> Term:
    """Inverse tangent, beyond 1 by that of the reciprocal."""
    size = abs(x)
    steep = size > 1.0
    t = select(steep, x.of(-1.0), size) / select(steep, size, 1.0)
    return with_sign(_atan_from(select(steep, x.of(_HALF_PI[x.dtype][0]), 0.0), t), x)


def atan2(y: Term, x: Term) -> Term:
    """Angle of the point (x, y), also of signed zeros and infinities."""
    size = abs(y)
    steep = size > abs(x)
    above = select(steep, -x, size)
    below = select(steep, size, x)
    below = select(equal(below, 0.0), 1.0, below)  # then the other is zero as well
    one = at_most(at_least(x, -1.0), 1.0)
    t = select(equal(above, np.inf), one, above / below)  # then |x| is infinite too, or NaN
    half_pi = _HALF_PI[x.dtype][0]
    flat = select(x.bits() < 0, x.of(2 * half_pi), 0.0)
    return with_sign(_atan_from(select(steep, half_pi, flat), t), y)
