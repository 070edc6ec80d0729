"""Nodes of a graph with Python's operators, and what the elementary functions have in common."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxosim.fused.elementary_coefficients import COEFFICIENTS
from jaxosim.fused.graph import Graph


@dataclasses.dataclass(frozen=True)
class Format:
    """A binary floating-point format of IEEE 754.

    Attributes:
      name: of the dtype.
      integer: dtype of the integers of the same size.
      mantissa: number of stored bits of the significand.
      bias: what is added to an exponent before it is stored.
    """

    name: str
    integer: str
    mantissa: int
    bias: int

    @property
    def magic(self) -> float:
        """1.5 · 2^mantissa: a sum with it rounds to integers, which are the last bits of it."""
        return 1.5 * 2.0**self.mantissa

    @property
    def sign_mask(self) -> int:
        """The integer whose only bit is that of the sign."""
        return int(np.iinfo(self.integer).min)

    def bits(self, value: float) -> int:
        """The integer with the bits of a number."""
        return int(np.dtype(self.name).type(value).view(self.integer))


FORMATS = {
    "float32": Format("float32", "int32", 23, 127),
    "float64": Format("float64", "int64", 52, 1023),
}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A node whose operators make nodes; Python numbers become constants of its dtype.

    Attributes:
      graph: the graph.
      node: its number there.
    """

    graph: Graph
    node: int

    @property
    def dtype(self) -> str:
        """Name of the dtype."""
        return self.graph.dtype[self.node]

    @property
    def format(self) -> Format:
        """Floating-point format of the dtype."""
        return FORMATS[self.dtype]

    def of(self, value: Any) -> "Term":
        """A number as a constant of this dtype; a term as it is."""
        if isinstance(value, Term):
            return value
        return Term(self.graph, self.graph.const(value, self.dtype))

    def make(self, op: str, *others: Any, dtype: str | None = None) -> "Term":
        """The operation on this term and others."""
        nodes = [self.of(other).node for other in others]
        return Term(self.graph, self.graph.make(op, self.node, *nodes, dtype=dtype))

    def convert(self, dtype: str) -> "Term":
        """The same number in another dtype."""
        return self.make("convert", dtype=dtype)

    def bits(self) -> "Term":
        """The integer with the same bits."""
        return self.make("bitcast", dtype=self.format.integer)

    def as_float(self, form: Format) -> "Term":
        """The floating-point number with the bits of this integer."""
        return self.make("bitcast", dtype=form.name)

    def __add__(self, other: Any) -> "Term":
        """Sum."""
        return self.make("add", other)

    def __radd__(self, other: Any) -> "Term":
        """Sum."""
        return self.of(other).make("add", self)

    def __sub__(self, other: Any) -> "Term":
        """Difference."""
        return self.make("sub", other)

    def __rsub__(self, other: Any) -> "Term":
        """Difference."""
        return self.of(other).make("sub", self)

    def __mul__(self, other: Any) -> "Term":
        """Product."""
        return self.make("mul", other)

    def __rmul__(self, other: Any) -> "Term":
        """Product."""
        return self.of(other).make("mul", self)

    def __truediv__(self, other: Any) -> "Term":
        """Quotient."""
        return self.make("div", other)

    def __rtruediv__(self, other: Any) -> "Term":
        """Quotient."""
        return self.of(other).make("div", self)

    def __neg__(self) -> "Term":
        """Its negative."""
        return self.make("neg")

    def __abs__(self) -> "Term":
        """Its magnitude."""
        return self.make("abs")

    def __lt__(self, other: Any) -> "Term":
        """Whether it is less."""
        return self.make("lt", other)

    def __gt__(self, other: Any) -> "Term":
        """Whether it is greater."""
        return self.make("gt", other)

    def __and__(self, other: Any) -> "Term":
        """Bits of both."""
        return self.make("and", other)

    def __or__(self, other: Any) -> "Term":
        """Bits of either."""
        return self.make("or", other)

    def __xor__(self, other: Any) -> "Term":
        """Bits of one of the two."""
        return self.make("xor", other)

    def __invert__(self) -> "Term":
        """Its bits reversed."""
        return self.make("not")

    def __lshift__(self, count: int) -> "Term":
        """Bits moved up."""
        return self.make("shl", count)

    def __rshift__(self, count: int) -> "Term":
        """Bits moved down, the sign filling up."""
        return self.make("ashr", count)


def equal(a: Term, b: Any) -> Term:
    """Whether two terms are equal."""
    return a.make("eq", b)


def differ(a: Term, b: Any) -> Term:
    """Whether two terms are not equal."""
    return a.make("ne", b)


def sqrt(x: Term) -> Term:
    """Square root."""
    return x.make("sqrt")


def floor(x: Term) -> Term:
    """The largest integer that is not above."""
    return x.make("floor")


def exact_add(a: Term, b: Any) -> Term:
    """Sum, rounded by itself."""
    return a.make("xadd", b)


def exact_sub(a: Any, b: Any) -> Term:
    """Difference, rounded by itself."""
    if not isinstance(a, Term):
        a = b.of(a)
    return a.make("xsub", b)


def exact_mul(a: Term, b: Any) -> Term:
    """Product, rounded by itself."""
    return a.make("xmul", b)


def fma(a: Term, b: Any, c: Any) -> Term:
    """Multiply-add a · b + c, rounded once."""
    return a.make("fma", b, c)


def select(condition: Term, yes: Any, no: Any) -> Term:
    """One of two terms, of which one may be a number."""
    like = yes if isinstance(yes, Term) else no
    yes, no = like.of(yes), like.of(no)
    node = condition.graph.make("select", condition.node, yes.node, no.node, dtype=yes.dtype)
    return Term(condition.graph, node)


# With the constant first, a machine's max and min give the second of two if either is NaN. The
# operations of the graph may swap theirs; LLVM makes of these selections the same one instruction.


def at_least(x: Term, low: float) -> Term:
    """The larger of a term and a number; NaN stays."""
    return select(x.of(low) > x, low, x)


def at_most(x: Term, high: float) -> Term:
    """The smaller of a term and a number; NaN stays."""
    return select(x.of(high) < x, high, x)


def with_sign(size: Term, x: Term) -> Term:
    """A number that is not negative, or has that sign already, with the sign of another."""
    sign = x.bits() & x.format.sign_mask
    return (size.bits() | sign).as_float(x.format)


def polynomial(x: Term, coefficients: Sequence[float]) -> Term:
    """Polynomial from the constant coefficient up.

    A long one is the sum of its even and its odd part, which a processor evaluates side by side:
    one product more than Horner's rule and half the latency.
    """
    if len(coefficients) >= 8:
        square = x * x
        return fma(x, horner(square, coefficients[1::2]), horner(square, coefficients[::2]))
    return horner(x, coefficients)


def horner(x: Term, coefficients: Sequence[float]) -> Term:
    """Polynomial by Horner's rule, from the constant coefficient up."""
    result = fma(x, coefficients[-1], coefficients[-2])
    for coefficient in reversed(coefficients[:-2]):
        result = fma(result, x, coefficient)
    return result


def fast_two_sum(a: Term, b: Term) -> tuple[Term, Term]:
    """Sum and its rounding error, if |a| is not below |b| (Dekker 1971)."""
    total = exact_add(a, b)
    return total, exact_add(exact_sub(a, total), b)


def two_product(a: Term, b: Any) -> tuple[Term, Term]:
    """Product and its rounding error."""
    product = exact_mul(a, b)
    return product, fma(a, b, -product)


def times_power(x: Term, shifted: Term) -> Term:
    """Product x · 2^n, where the last bits of `shifted` are n + bias; zero where that is zero."""
    form = x.format
    return x * (shifted.bits() << form.mantissa).as_float(form)


def twice_exp2(r: Term) -> Term:
    """2 · 2^r, |r| <= 1/2."""
    return fma(r, polynomial(r, [2 * c for c in COEFFICIENTS["exp2"][r.dtype]]), 2.0)


def split(x: Term, shift: int = 0) -> tuple[Term, Term, Term]:
    """2^shift x = 2^k (1 + f) with 1 + f between 1/sqrt 2 and sqrt 2, of a normal number.

    Returns:
      k in the place where exponents are stored, k, f.
    """
    form = x.format
    bits = x.bits()
    power = (bits - (form.bits(np.sqrt(0.5)) - (shift << form.mantissa))) >> form.mantissa
    stored = power << form.mantissa
    f = exact_sub((bits - stored).as_float(form), 1.0)
    if x.dtype == "float32":
        return stored, power.convert("float32"), f
    # AVX2 has no conversion of 64-bit integers.
    k = exact_sub((power + form.bits(form.magic)).as_float(form), form.magic)
    return stored, k, f
