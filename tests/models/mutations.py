"""Random changes of an `.osim` text: numbers, names, and whole elements."""

import random
import re

# What a number, a list of numbers, a flag or a name is replaced by.
TEXTS = (
    *("nan", "inf", "-inf", "0", "-0.0", "-1", "1", "2", "1e308", "-1e308", "1e-320", "1e400"),
    *("", " ", "abc", "true", "false", "1 2", "1 2 3", "1 2 3 4 5 6", "1,2,3", "0 0 0", "0x10"),
    *("ground", "/ground", "/bodyset/nobody", "../..", "/", "knee", "&lt;", "é"),
)
TAGS = ("Body", "PinJoint", "Constant", "SimmSpline", "objects", "Unknown", "Model", "name")
_LEAF = re.compile(r">([^<>]*)</")
_ELEMENT = re.compile(r"<([A-Za-z_:0-9]+)( [^<>]*)?>[^<>]*(?:<[^<>/]+>[^<>]*</[^<>]+>[^<>]*)*</\1>")
_TAG = re.compile(r"<(/?)([A-Za-z_:0-9]+)")
_NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?", re.IGNORECASE)
_IN_LEAF = re.compile(r"[ 0-9.eE+-]*</")
_ATTRIBUTE = re.compile(r'="([^"]*)"')


def mutated(text, seed):
    """The text with one to three changes, the same ones for the same seed."""
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        text = rng.choice(_CHANGES)(text, rng)
    return text


def revalued(text, seed):
    """The text with another value in place of one number of a leaf, the same for the same seed."""
    rng = random.Random(seed)
    numbers = [m for m in _NUMBER.finditer(text) if _IN_LEAF.match(text, m.end())]
    match = rng.choice([m for m in numbers if text[m.start() - 1] in "> "])
    factor = rng.choice((-1.0, 0.0, 0.1, 10.0, -1e-3, 1e3, 1e-9))
    new = rng.choice((repr(float(match.group()) * factor), repr(factor)))
    return _replaced(text, match, new)


def _pick(pattern, text, rng):
    """One of the places where a pattern matches, or None."""
    return rng.choice(list(pattern.finditer(text)) or [None])


def _replaced(text, match, new, group=0):
    if match is None:
        return text
    return text[: match.start(group)] + new + text[match.end(group) :]


def _of_leaf(text, rng):
    return _replaced(text, _pick(_LEAF, text, rng), rng.choice(TEXTS), 1)


def _of_number(text, rng):
    return _replaced(text, _pick(_NUMBER, text, rng), rng.choice(TEXTS))


def _scaled(text, rng):
    match = _pick(_NUMBER, text, rng)
    factor = rng.choice((-1.0, 0.0, 10.0, 1e6, 1e-6, 1e12))
    return _replaced(text, match, repr(float(match.group()) * factor)) if match else text


def _of_attribute(text, rng):
    return _replaced(text, _pick(_ATTRIBUTE, text, rng), rng.choice(TEXTS), 1)


def _exchanged(text, rng):
    """Two leaves with each other's text."""
    first, second = _pick(_LEAF, text, rng), _pick(_LEAF, text, rng)
    if first is None or second is None:
        return text
    if first.start() > second.start():
        first, second = second, first
    if first.end(1) > second.start(1):
        return text
    return _replaced(_replaced(text, second, first.group(1), 1), first, second.group(1), 1)


def _left_out(text, rng):
    return _replaced(text, _pick(_ELEMENT, text, rng), "")


def _doubled(text, rng):
    match = _pick(_ELEMENT, text, rng)
    return _replaced(text, match, match.group() * 2) if match else text


def _moved(text, rng):
    """An element put in front of another one."""
    match, other = _pick(_ELEMENT, text, rng), _pick(_ELEMENT, text, rng)
    if match is None or match.start() <= other.start() < match.end():
        return text
    if match.start() < other.start():
        return (
            text[: match.start()]
            + text[match.end() : other.start()]
            + (match.group() + text[other.start() :])
        )
    rest = text[other.start() : match.start()] + text[match.end() :]
    return text[: other.start()] + match.group() + rest


def _renamed(text, rng):
    """One element, or only one of its two tags, under another name."""
    match = _pick(_ELEMENT if rng.random() < 0.9 else _TAG, text, rng)
    if match is None:
        return text
    if match.re is _TAG:
        return _replaced(text, match, rng.choice(TAGS), 2)
    old, new = match.group(1), rng.choice(TAGS)
    inside = match.group()[len(old) + 1 : -len(old) - 1]
    return _replaced(text, match, f"<{new}{inside}{new}>")


def _cut_off(text, rng):
    return text[: rng.randrange(len(text))] if rng.random() < 0.2 else _of_leaf(text, rng)


_CHANGES = (
    *(_of_leaf, _of_number, _scaled, _of_attribute, _exchanged),
    *(_left_out, _doubled, _moved, _renamed, _cut_off),
)
