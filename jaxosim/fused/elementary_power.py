"""Powers x^y = 2^(y log2 |x|), with the logarithm in more than the precision of the arguments."""

import numpy as np

from jaxosim.fused.elementary_coefficients import COEFFICIENTS
from jaxosim.fused.elementary_terms import (
    FORMATS,
    Term,
    at_least,
    at_most,
    differ,
    equal,
    exact_add,
    exact_mul,
    exact_sub,
    fast_two_sum,
    floor,
    fma,
    polynomial,
    select,
    split,
    times_power,
    twice_exp2,
    two_product,
)

_TWO_BY_LN2 = (2.8853900817779268, 4.0710547481862066e-17)
_THIRD = (0.3333333333333333, 1.850371707708594e-17)


def power(x: Term, y: Term) -> Term:
    """x^y; the bases below the smallest normal number count as zero or are only roughly right."""
    size = abs(x)
    result = _power_32(size, y) if x.dtype == "float32" else _power_64(size, y)
    result = select(equal(y, 0.0) | equal(size, 1.0), 1.0, result)
    whole = equal(floor(y), y)
    half = y * 0.5
    odd = whole & differ(floor(half), half)
    result = select((x.bits() < 0) & odd, -result, result)
    undefined = (x < 0.0) & (x > -np.inf) & ~whole
    return select(undefined, x.of(np.nan), result)


def _power_32(size: Term, y: Term) -> Term:
    """In double precision: 16 numbers are two registers of AVX-512 then."""
    double = FORMATS["float64"]
    _, k, f = split(size)
    f = f.convert("float64")
    logarithm = fma(f, polynomial(f, COEFFICIENTS["pow"]["float32"]), k.convert("float64"))
    logarithm = _at_the_ends(size, logarithm, size.convert("float64"))
    exponent = at_most(at_least(logarithm * y.convert("float64"), -126.0), 128.25)
    magic = double.magic + 126.0
    shifted = exact_add(exponent, magic)
    r = exact_sub(exponent, exact_sub(shifted, magic)).convert("float32")
    scale = (shifted.bits().convert("int32") << 23).as_float(FORMATS["float32"])
    return twice_exp2(r) * scale


def _at_the_ends(size: Term, logarithm: Term, same: Term) -> Term:
    """A logarithm, also of zero, infinity and NaN."""
    logarithm = select(size < np.inf, logarithm, same)
    return select(equal(size, 0.0), -np.inf, logarithm)


def _power_64(size: Term, y: Term) -> Term:
    """With a logarithm of 2^-64, the sum of two numbers."""
    _, k, f = split(size)
    high, low = _log2_of_parts(k, f)
    high = _at_the_ends(size, high, size)
    exponent = exact_mul(y, high)
    rest = fma(y, low, fma(y, high, -exponent))
    rest = select(abs(exponent) < 2000.0, rest, 0.0)  # else it may be NaN
    exponent = at_most(at_least(exponent, -1022.0), 1024.25)
    magic = size.format.magic + 1022.0
    shifted = exact_add(exponent, magic)
    r = exact_sub(exponent, exact_sub(shifted, magic)) + rest
    return times_power(twice_exp2(r), shifted)


def _log2_of_parts(k: Term, f: Term) -> tuple[Term, Term]:
    """Sum of two numbers for k + log2(1 + f) = k + 2 / ln 2 · artanh s with s = f / (2 + f).

    With z = s² it is artanh s = s (1 + z u), u = 1/3 + z Q(z): terms below 2^-8 of the whole are
    doubles, the larger ones sums of two.
    """
    below, below_low = fast_two_sum(f.of(2.0), f)
    inverse = 1.0 / below
    s = exact_mul(f, inverse)
    s_low = fma(-s, below_low, fma(-s, below, f)) * inverse
    z, z_low = two_product(s, s)
    z_low = fma(s * 2.0, s_low, z_low)
    series = exact_mul(z, polynomial(z, COEFFICIENTS["pow"]["float64"]))
    u, u_low = fast_two_sum(f.of(_THIRD[0]), series)
    u_low = u_low + _THIRD[1]
    v, v_low = two_product(z, u)
    v_low = fma(z, u_low, fma(z_low, u, v_low))
    first, first_low = two_product(s, _TWO_BY_LN2[0])
    first_low = fma(s_low, _TWO_BY_LN2[0], fma(s, _TWO_BY_LN2[1], first_low))
    second, second_low = two_product(first, v)
    second_low = fma(first, v_low, fma(first_low, v, second_low))
    total, error = fast_two_sum(k, first)
    total, second_error = fast_two_sum(total, second)
    low = ((first_low + second_low) + error) + second_error
    return fast_two_sum(total, low)
