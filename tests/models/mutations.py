"""Random changes of an `.osim` text, and what becomes of the texts.

    python -m tests.models.mutations --seeds 2000 100000 [--results FILE]

Loads the mutation of each seed. It has to load without a NaN in its numbers, or to be refused with
an error of ours that names the file, within 5 processor seconds and 1 GB of memory beyond what the
process had before; whatever else happens is printed with its seed, and the status is 1. A line for
every 1,000 seeds goes to FILE, and seeds that have theirs there are not loaded again.
"""

import argparse
import dataclasses
import json
import pathlib
import random
import re
import sys
import tempfile
import time
import warnings

import jax
import numpy as np

import jaxosim
from tests import hopper_model

SECONDS, MEMORY = 5.0, 1 << 30  # of one file; the latter in bytes
REFUSALS = (jaxosim.OsimFormatError, jaxosim.UnsupportedComponentError)
BLOCK = 1_000  # seeds of a line
_STATUS = pathlib.Path("/proc/self/status")

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


# -------------------------------------------------------------------------- what becomes of them


@dataclasses.dataclass
class Outcomes:
    """Of many texts: numbers by outcome, the largest costs, and what else happened by seed."""

    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    memory: int = 0
    failures: dict[int, str] = dataclasses.field(default_factory=dict)

    def add(self, other: "Outcomes"):
        """Add those of other texts."""
        for outcome, count in other.counts.items():
            self.counts[outcome] = self.counts.get(outcome, 0) + count
        self.seconds = max(self.seconds, other.seconds)
        self.memory = max(self.memory, other.memory)
        self.failures |= other.failures


def outcomes_of(seeds, path):
    """Outcomes of the mutations of these seeds, each written to the path and loaded."""
    outcomes = Outcomes()
    for seed in seeds:
        path.write_text(mutated(hopper_model.HOPPER, seed), encoding="utf-8")
        try:
            outcome, seconds, memory = _outcome_of(path)
            assert seconds < SECONDS, f"{seconds:.1f} s"
            assert memory < MEMORY, f"{memory / 1e6:.0f} MB"
        except Exception as error:  # noqa: BLE001, whatever it is has to be told
            outcomes.failures[seed] = repr(error)[:500]
            continue
        outcomes.add(Outcomes({outcome: 1}, seconds, memory))
    return outcomes


def _outcome_of(path):
    """What becomes of a file, the processor time (s) and the memory (B) that it takes."""
    held, before = _peak(reset=True), time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, params = jaxosim.load_model(path)
    except REFUSALS as error:
        assert str(path) in str(error), error
        assert len(str(error)) > len(str(path)) + 10, error
        outcome = "refused"
    else:
        assert not any(np.isnan(leaf).any() for leaf in jax.tree.leaves(params)), "a NaN"
        outcome = "loaded"
    return outcome, time.process_time() - before, _peak() - held


def _peak(reset=False):
    """The most memory (B) that the process has had in use, on Linux since the last reset."""
    import resource

    if not _STATUS.exists():
        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    if reset:
        _STATUS.with_name("clear_refs").write_text("5")
    line = next(row for row in _STATUS.read_text().splitlines() if row.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main():
    """Load, keep and sum up."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 2000), help="first, and end")
    parser.add_argument("--results", type=pathlib.Path, help="lines to keep and to go on from")
    given = parser.parse_args()
    blocks = {}
    if given.results is not None and given.results.exists():
        for line in given.results.read_text(encoding="utf-8").splitlines():
            kept = json.loads(line)
            failures = {int(seed): error for seed, error in kept.pop("failures").items()}
            seeds = tuple(kept.pop("seeds"))
            blocks[seeds] = Outcomes(**kept, failures=failures)
    whole = Outcomes()
    with tempfile.TemporaryDirectory() as folder:
        for first in range(*given.seeds, BLOCK):
            seeds = (first, min(first + BLOCK, given.seeds[1]))
            block = blocks.get(seeds)
            if block is None:
                block = outcomes_of(range(*seeds), pathlib.Path(folder) / "damaged.osim")
                if given.results is not None:
                    with given.results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({"seeds": seeds, **dataclasses.asdict(block)}) + "\n")
            whole.add(block)
            for seed, error in block.failures.items():
                print(f"{seed}: {error}", flush=True)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(whole.counts.items()))
    print(f"{counts}; at most {whole.seconds:.2f} s and {whole.memory / 1e6:.0f} MB for one file")
    print(f"{len(whole.failures)} failures")
    sys.exit(bool(whole.failures))


if __name__ == "__main__":
    main()
