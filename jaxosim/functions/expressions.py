"""Formulas in a model file, such as `-3*q^3 - 0.5*qdot`: parsed on the host, evaluated on arrays.

The grammar is that of the parser that OpenSim uses, Lepton:

- numbers; names of variables; parentheses; functions of one or two arguments;
- `^`, which groups from the right, then the minus sign, then `*` and `/`, then `+` and `-`, so that
  `-x^2` is −(x²) and `2^-x` is allowed; a plus sign before a number is not;
- after the formula, separated by semicolons, definitions of names that it uses: `a*x; a = b^2;
  b = 3`. A definition may use those that follow it.

White space means nothing, not even between digits. A parsed formula is a list of operations without
a repetition, of bounded length, whatever its definitions; nothing is ever executed.

Source: OpenSim's Lepton `Parser`, `ParsedExpression`; see docs/theory/two_frame_forces.md,
"Expressions".
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.arrays.indexing import concatenate, take
from jaxosim.errors import quote

MAX_LENGTH = 10_000  # characters
_MAX_DEPTH = 100  # of parentheses, powers and signs within one another
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<call>[^-+*/^,()0-9.][^-+*/^,()]*\()"
    r"|(?P<name>[^-+*/^,()0-9.][^-+*/^,()]*)"
    r"|(?P<sign>[-+*/^,()])"
)
_PRECEDENCE = {"+": 0, "-": 0, "*": 1, "/": 1, "^": 3}
_OF_MINUS = 2
_TO_THE_RIGHT = ("^",)


def _root(x: jax.Array) -> jax.Array:
    """Square root, whose derivative at zero counts as zero."""
    zero = x == 0
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, x)))


def _power(base: jax.Array, exponent: jax.Array) -> jax.Array:
    """Power, whose derivatives count as zero where it is zero."""
    zero = (base == 0) & (exponent > 0)
    return jnp.where(zero, 0.0, jnp.power(jnp.where(zero, 1.0, base), exponent))


_OPERATIONS: dict[str, tuple[int, Callable[..., jax.Array]]] = {
    "+": (2, lambda a, b: a + b),
    "-": (2, lambda a, b: a - b),
    "*": (2, lambda a, b: a * b),
    "/": (2, lambda a, b: a / b),
    "^": (2, _power),
    "negate": (1, lambda a: -a),
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., jax.Array]]] = {
    "sqrt": (1, _root),
    "exp": (1, jnp.exp),
    "log": (1, jnp.log),
    "sin": (1, jnp.sin),
    "cos": (1, jnp.cos),
    "sec": (1, lambda a: 1 / jnp.cos(a)),
    "csc": (1, lambda a: 1 / jnp.sin(a)),
    "tan": (1, jnp.tan),
    "cot": (1, lambda a: 1 / jnp.tan(a)),
    "asin": (1, jnp.arcsin),
    "acos": (1, jnp.arccos),
    "atan": (1, jnp.arctan),
    "sinh": (1, jnp.sinh),
    "cosh": (1, jnp.cosh),
    "tanh": (1, jnp.tanh),
    "erf": (1, jax.lax.erf),
    "erfc": (1, lambda a: 1 - jax.lax.erf(a)),
    "step": (1, lambda a: jnp.where(a >= 0, 1.0, 0.0).astype(a.dtype)),
    "delta": (1, lambda a: jnp.where(a == 0, 1.0, 0.0).astype(a.dtype)),
    "square": (1, lambda a: a * a),
    "cube": (1, lambda a: a * a * a),
    "recip": (1, lambda a: 1 / a),
    "min": (2, lambda a, b: jnp.where(b < a, b, a)),
    "max": (2, lambda a, b: jnp.where(a < b, b, a)),
    "abs": (1, jnp.abs),
}
_ALL = _OPERATIONS | _FUNCTIONS


class ExpressionError(ValueError):
    """A formula that cannot be read; the message says what was expected."""


@dataclass(frozen=True)
class Operation:
    """One operation of a formula; its arguments are the numbers of earlier ones."""

    name: str  # of an operation; "constant", "variable", or "whole power" by the value
    arguments: tuple[int, ...] = ()
    value: float = 0.0
    variable: str = ""


@dataclass(frozen=True)
class Expression:
    """A parsed formula, whose value is that of its last operation."""

    operations: tuple[Operation, ...]


def parse(text: str, variables: Sequence[str]) -> Expression:
    """Parse a formula.

    Args:
      text: the formula.
      variables: names that it may use.

    Raises:
      ExpressionError: it is not in the grammar above, or too long or too deep.
    """
    text = "".join(text.split())
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expected at most {MAX_LENGTH} characters, found {len(text)}")
    formula, *definitions = text.split(";")
    program = _Program()
    known = {name: program.add(Operation("variable", variable=name)) for name in variables}
    for definition in reversed([one for one in definitions if one]):
        name, equals, meaning = definition.partition("=")
        if not name or not equals:
            raise ExpressionError(f"expected name=formula after a semicolon, found {definition!r}")
        known[name] = _Parser(program, known, meaning).formula()
    return program.needed(_Parser(program, known, formula).formula())


class _Program:
    """The operations so far, each of them once, simplified as Lepton does where it matters.

    What is multiplied by zero, divides zero or itself, or is taken from itself may be infinite or
    no number, and must then not count.
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._number: dict[Operation, int] = {}

    def add(self, operation: Operation) -> int:
        """The number of an operation."""
        operation = self._simplified(operation)
        if operation not in self._number:
            self._number[operation] = len(self.operations)
            self.operations.append(operation)
        return self._number[operation]

    def constant(self, number: int) -> float | None:
        """The value of an operation that is a constant."""
        operation = self.operations[number]
        return operation.value if operation.name == "constant" else None

    def _simplified(self, operation: Operation) -> Operation:
        values = [self.constant(number) for number in operation.arguments]
        known = [value for value in values if value is not None]
        if values and known == values:
            return Operation("constant", value=_constant(operation.name, known))
        if operation.name not in _OPERATIONS or len(values) < 2:
            return operation
        first, second = values
        same = operation.arguments[0] == operation.arguments[1]
        match operation.name:
            case "*" if 0.0 in values:
                return Operation("constant")
            case "/" if first == 0.0:
                return Operation("constant")
            case "/" if second == 0.0:
                return Operation("constant", value=math.inf)  # which `needed` refuses
            case "/" if same:
                return Operation("constant", value=1.0)
            case "-" if same:
                return Operation("constant")
            case "^" if first is not None and first in (0.0, 1.0):
                return Operation("constant", value=first)
            case "^" if second is not None and second.is_integer() and abs(second) <= 1024:
                if second == 0.0:
                    return Operation("constant", value=1.0)
                return Operation("whole power", operation.arguments[:1], second)
        return operation

    def needed(self, result: int) -> Expression:
        """The operations on which one depends, and this last."""
        wanted, pending = set(), [result]
        while pending:
            number = pending.pop()
            if number not in wanted:
                wanted.add(number)
                pending += self.operations[number].arguments
        place = {number: index for index, number in enumerate(sorted(wanted))}
        kept = [self.operations[number] for number in sorted(wanted)]
        if not all(math.isfinite(one.value) for one in kept):
            # OpenSim differs: forces become infinite or NaN.
            raise ExpressionError("expected a formula whose constant parts are finite")
        return Expression(
            tuple(replace(one, arguments=tuple(place[a] for a in one.arguments)) for one in kept)
        )


def _constant(name: str, values: Sequence[float]) -> float:
    """An operation of constants, in double precision."""
    with np.errstate(all="ignore"):
        return float(_OF_NUMBERS[name](*map(np.float64, values)))


_OF_NUMBERS: dict[str, Callable[..., float]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    "negate": np.negative,
    **{name: getattr(np, name) for name in ("sqrt", "exp", "log", "sin", "cos", "tan")},
    **{name: getattr(np, name) for name in ("sinh", "cosh", "tanh", "square", "abs")},
    "sec": lambda a: 1 / np.cos(a),
    "csc": lambda a: 1 / np.sin(a),
    "cot": lambda a: 1 / np.tan(a),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "erf": math.erf,
    "erfc": math.erfc,
    "step": lambda a: float(a >= 0),
    "delta": lambda a: float(a == 0),
    "cube": lambda a: a * a * a,
    "recip": lambda a: 1 / a,
    "min": min,
    "max": max,
}


class _Parser:
    """Reads one formula, an operator at a time."""

    def __init__(self, program: _Program, known: Mapping[str, int], text: str):
        self._program = program
        self._known = known
        self._tokens = _tokens(text)
        self._place = 0

    def formula(self) -> int:
        """The number of the whole formula's last operation."""
        result = self._value(0, 0)
        if self._place < len(self._tokens):
            raise self._unexpected("the end")
        return result

    def _unexpected(self, expected: str) -> ExpressionError:
        left = self._tokens[self._place :]
        found = quote(left[0][1]) if left else "the end"
        return ExpressionError(f"expected {expected}, found {found}")

    def _take(self, *texts: str) -> str:
        """The next token if it is one of these, else nothing."""
        if self._place < len(self._tokens) and self._tokens[self._place][1] in texts:
            self._place += 1
            return self._tokens[self._place - 1][1]
        return ""

    def _value(self, precedence: int, depth: int) -> int:
        """What stands before the next operator that binds less than a precedence."""
        if depth > _MAX_DEPTH:
            raise ExpressionError(f"expected at most {_MAX_DEPTH} levels")
        result = self._operand(depth)
        while operator := self._take(*(o for o, p in _PRECEDENCE.items() if p >= precedence)):
            own = _PRECEDENCE[operator] + (operator not in _TO_THE_RIGHT)
            second = self._value(own, depth + 1)
            result = self._program.add(Operation(operator, (result, second)))
        return result

    def _operand(self, depth: int) -> int:
        if self._take("-"):
            return self._program.add(Operation("negate", (self._value(_OF_MINUS, depth + 1),)))
        if self._take("("):
            result = self._value(0, depth + 1)
            self._close()
            return result
        kind, text = (*self._tokens, ("", ""))[self._place]
        if kind not in ("number", "name", "call"):
            raise self._unexpected("a number, a name or a parenthesis")
        self._place += 1
        if kind == "number":
            return self._program.add(Operation("constant", value=float(text)))
        if kind == "call":
            return self._call(text[:-1], depth)
        if text not in self._known:
            names = ", ".join(self._known)
            raise ExpressionError(f"expected one of the variables {names}, found {quote(text)}")
        return self._known[text]

    def _call(self, name: str, depth: int) -> int:
        if name not in _FUNCTIONS:
            raise ExpressionError(f"expected the name of a function, found {quote(name)}")
        arguments = [self._value(0, depth + 1)]
        while self._take(","):
            arguments.append(self._value(0, depth + 1))
        self._close()
        count = _FUNCTIONS[name][0]
        if len(arguments) != count:
            raise ExpressionError(f"expected {count} argument(s) of {name}, found {len(arguments)}")
        return self._program.add(Operation(name, tuple(arguments)))

    def _close(self) -> None:
        if not self._take(")"):
            raise self._unexpected("a closing parenthesis")


def _tokens(text: str) -> list[tuple[str, str]]:
    """Kind and text of each token."""
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ExpressionError(f"expected a number, found {quote(text[place:])}")
        found.append((str(match.lastgroup), match[0]))
        place = match.end()
    return found


def evaluate(expression: Expression, variables: Mapping[str, jax.Array]) -> jax.Array:
    """The formula's value for each value of its variables, which have one shape."""
    like = next(iter(variables.values()))
    values: list[jax.Array] = []
    for operation in expression.operations:
        arguments = [values[number] for number in operation.arguments]
        match operation.name:
            case "constant":
                value = jnp.full_like(like, operation.value)
            case "variable":
                value = variables[operation.variable]
            case "whole power":
                value = jax.lax.integer_pow(arguments[0], int(operation.value))
            case name:
                value = _ALL[name][1](*arguments)
        values.append(value)
    return values[-1]


def evaluate_each(
    expressions: Sequence[Expression], variables: Mapping[str, jax.Array]
) -> jax.Array:
    """Values `[n]` of formulas, each for its own row of the variables `[n]`.

    Formulas that are alike are evaluated at once.
    """
    members: dict[Expression, list[int]] = {}
    for number, expression in enumerate(expressions):
        members.setdefault(expression, []).append(number)
    parts = [
        evaluate(expression, {name: take(x, np.array(own)) for name, x in variables.items()})
        for expression, own in members.items()
    ]
    order = np.argsort(np.concatenate([np.array(own, int) for own in members.values()]))
    return take(concatenate(parts), order)


def slopes(
    expressions: Sequence[Expression], variables: Mapping[str, jax.Array], name: str
) -> jax.Array:
    """Derivatives `[n]` of formulas by one of their variables."""

    def values(x: jax.Array) -> jax.Array:
        return evaluate_each(expressions, {**variables, name: x})

    at = variables[name]
    return jax.jvp(values, (at,), (jnp.ones_like(at),))[1]
