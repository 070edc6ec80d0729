"""Does OpenSim do with a damaged file what jaxosim does with it?

    PYTHONPATH=benchmarks python -m tests.models.mutation_parity [--seeds 0 1000] [--values]

Each file is read by OpenSim in a process of its own, bounded in time and memory and started anew
when it ends, and by jaxosim in this one. If both accept it, names of coordinates, masses, default
pose and, at that pose, the rates of all states are compared. Prints the table of docs/fidelity.md
in Markdown, then the files that do not agree, by reason.
"""

import argparse
import collections
import dataclasses
import functools
import math
import pathlib
import pickle
import re
import sys
import tempfile
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from opensim_comparison.processes import Worker

import jaxosim
from jaxosim.integrators.projection import assemble, constraint_error
from jaxosim.state_variables import default_states
from tests.models.mutation_texts import TEXTS
from tests.models.mutations import mutated, revalued

SECONDS, MEMORY = 20.0, 6 << 30  # of one file in OpenSim; the latter in bytes
FILES_PER_PROCESS = 500
TOLERANCE = 1e-8  # relative to max(1, |OpenSim's value|)
ASSEMBLED = 1e-4  # the same of a pose that OpenSim has assembled
MISSED = 1e-6  # of a constraint by OpenSim's assembled pose, from where on it is none
AIMED = 1e-12  # by which such a pose may miss more of the squares that an assembly minimizes
LARGEST = 1e15  # of coordinates and rates that any motion could have
SINGULAR = 1e6  # condition of the equations of motion beyond which neither keeps eight digits
OUTCOMES = {
    "agree": "both accept it, and agree",
    "refused": "both refuse it",
    "differ": "both accept it, and differ",
    "accepted": "OpenSim refuses it, jaxosim accepts it",
    "strict": "OpenSim accepts it, jaxosim refuses it",
    "not compared": "both accept it, but OpenSim cannot give its rates to that many digits",
    "no answer": "OpenSim ends or takes too long",
}
REFUSALS = (jaxosim.OsimFormatError, jaxosim.UnsupportedComponentError)


class Outcome(NamedTuple):
    """What became of one file."""

    kind: str  # of OUTCOMES
    reason: str = ""


def _beside(live, values):
    """OpenSim's rates where the coordinates are rounded otherwise, up and down."""
    for side in (-np.inf, np.inf):
        yield live.evaluate({**values, "q": np.nextafter(values["q"], side)})


class OpenSimReader:
    """Reads files by a live OpenSim; meant for a process of its own."""

    def __init__(self):
        import resource

        from jaxosim.opensim.model import OpenSimModel

        self._read = OpenSimModel
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def read(self, path):
        """What the file means, or the message of the error, also one raised by its rates."""
        try:
            live = self._read(path)
        except RuntimeError as error:
            return str(error)
        speeds = np.array([c.getDefaultSpeedValue() for c in live._coordinates])
        values = {"q": live.defaults, "u": np.where(live.locked, 0.0, speeds)}
        try:
            rates = live.evaluate(values)
            scatter = max(
                _difference(one["u_dot"], rates["u_dot"]) for one in _beside(live, values)
            )
        except RuntimeError as error:
            return str(error)
        except np.linalg.LinAlgError:
            rates, scatter = None, math.inf  # they are not finite
        at = live.state_of(values)
        live.model.realizePosition(at)
        return {
            **values,
            "missed": np.max(np.abs(at.getQErr().to_numpy()), initial=0.0),
            "coordinates": live.coordinate_names,
            "bodies": live.body_names,
            "muscles": live.muscle_names,
            "mass": np.array([body.getMass() for body in live._bodies]),
            "locked": live.locked,
            "rates": rates,
            "scatter": scatter,
        }


class OpenSim:
    """An OpenSimReader in a process that is replaced when it fails."""

    def __init__(self):
        self._worker, self._count = None, 0

    def read(self, path):
        """As OpenSimReader.read; None if there was no answer."""
        if self._worker is None or self._count % FILES_PER_PROCESS == 0:
            self.close()
            self._worker = Worker(OpenSimReader)
            self._worker.receive()
        self._count += 1
        self._worker.send("read", str(path))
        try:
            return self._worker.receive(SECONDS)
        except (RuntimeError, TimeoutError):
            self.close()
            return None

    def close(self):
        """End the process."""
        if self._worker is not None:
            self._worker.close()
        self._worker = None


# One program for all files that differ in numbers only.
@functools.lru_cache(maxsize=32)
def _program(structure):
    model = pickle.loads(structure)

    def evaluate(params, q, u):
        coordinates = params.coordinates
        at = jaxosim.State(
            time=jnp.zeros(()),
            q=coordinates.default_value,
            u=coordinates.default_speed_value,
            **default_states(params),
        )
        start = assemble(model, params, at)
        missed = constraint_error(model, params, start)
        at = dataclasses.replace(at, q=q, u=u)
        controls = jnp.zeros(len(model.control_names))
        return start.q, missed, jaxosim.state_derivative(model, params, at, controls)

    return jax.jit(evaluate)


def _difference(obtained, expected):
    """Largest error relative to max(1, |expected|); inf where it is not a number."""
    obtained, expected = np.asarray(obtained), np.asarray(expected)
    error = np.abs(obtained - expected) / np.maximum(1.0, np.abs(expected))
    return float(np.max(np.where(np.isfinite(error), error, math.inf), initial=0.0))


def _compared(model, params, expected, rates):
    """The outcome of a file that both accept."""
    names = tuple(name.rpartition("/")[2] for name in model.coordinate_names)
    if names != expected["coordinates"]:
        return Outcome("differ", f"coordinates {names}, not {expected['coordinates']}")
    for field in ("bodies", "muscles"):
        own = model.body_names if field == "bodies" else model.muscle_names
        if own != expected[field]:
            return Outcome("differ", f"{field} {own}, not {expected[field]}")
    if not np.array_equal(params.bodies.mass, expected["mass"]):
        return Outcome("differ", "masses")
    if not np.array_equal(model.locked, expected["locked"]):
        return Outcome("differ", "locked")
    if not rates:
        return Outcome("agree")
    if not np.all(np.abs([expected["q"], expected["u"]]) < LARGEST):
        return Outcome("not compared", "coordinates beyond 1e15")
    structure = pickle.dumps(dataclasses.replace(model, name="", source=""))
    pose, missed, found = _program(structure)(params, expected["q"], expected["u"])
    if (error := _difference(pose, expected["q"])) > TOLERANCE:
        if missed < MISSED < expected["missed"]:
            return Outcome("not compared", "default pose, which misses constraints in OpenSim")
        # OpenSim's assembler stops early: another pose may be as near to what it aims at.
        aim = np.asarray(params.coordinates.default_value)
        distance = [
            np.sum((np.asarray(q) - aim)[~model.dependent] ** 2) for q in (pose, expected["q"])
        ]
        if error > ASSEMBLED or distance[0] > distance[1] + AIMED:
            return Outcome("differ", f"default pose by {error:.1e}")
    return _compared_rates(found, expected["rates"], ~expected["locked"], expected["scatter"])


def _compared_rates(found, expected, free, scatter):
    """The outcome of a file whose models are alike."""
    if expected is None:
        return Outcome("not compared", "rates that are not finite")
    reported = expected["own_residual"] < TOLERANCE
    u_dot = expected["u_dot" if reported else "refined_u_dot"]
    pairs = {
        "u_dot": (np.asarray(found.u)[free], u_dot[free]),
        **{
            name: (getattr(found, name), expected[f"{name}_rate"])
            for name in ("activation", "fiber_length", "normalized_tendon_force", "force_states")
        },
    }
    wanted = [*(wanted for _, wanted in pairs.values()), expected["muscle_fiber_velocity"]]
    if not all(np.all(np.abs(rates) < LARGEST) for rates in wanted):
        return Outcome("not compared", "rates that are not finite, or beyond 1e15")
    if not expected["condition"] < SINGULAR:
        return Outcome("not compared", "equations of motion that are nearly singular")
    for name, (own, wanted) in pairs.items():
        if (error := _difference(own, wanted)) > TOLERANCE:
            if error <= scatter:
                return Outcome("not compared", "rates that change as much with the rounding of q")
            return Outcome("differ", f"{name} by {error:.1e}")
    return Outcome("agree")


def outcome_of(path, opensim, rates=True):
    """What becomes of a file."""
    expected = opensim.read(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, params = jaxosim.load_model(path)
    except REFUSALS as error:
        if expected is None:
            return Outcome("no answer")
        said = str(error).removeprefix(f"{path}: ")
        return Outcome("refused" if isinstance(expected, str) else "strict", said)
    if expected is None:
        return Outcome("no answer")
    if isinstance(expected, str):
        return Outcome("accepted", expected)
    return _compared(model, params, expected, rates)


def outcomes(jobs, opensim, folder, change=mutated, rates=True):
    """Yields (text's name, seed, outcome) of each (text's name, seed), changed by a function."""
    path = pathlib.Path(folder) / "damaged.osim"
    for name, seed in jobs:
        path.write_text(change(TEXTS[name], seed), encoding="utf-8")
        yield name, seed, outcome_of(path, opensim, rates)


def _reason(text):
    """A reason without names and numbers."""
    text = " ".join(text.split())
    return re.sub(r"'[^']*'|\"[^\"]*\"|[-+]?\d[\d.e+-]*", "…", text)[:150]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 1000), help="first, and end")
    parser.add_argument("--texts", nargs="+", choices=TEXTS, default=list(TEXTS))
    parser.add_argument("--values", action="store_true", help="change one number of each file")
    parser.add_argument("--no-rates", action="store_true", help="compare what is read only")
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    jobs = [(name, seed) for seed in range(*given.seeds) for name in given.texts]
    counts = {name: collections.Counter() for name in given.texts}
    reasons = collections.defaultdict(list)
    opensim, change = OpenSim(), revalued if given.values else mutated
    with tempfile.TemporaryDirectory() as folder:
        for name, seed, outcome in outcomes(jobs, opensim, folder, change, not given.no_rates):
            counts[name][outcome.kind] += 1
            if outcome.kind not in ("agree", "refused"):
                reasons[outcome.kind, _reason(outcome.reason)].append(f"{name} {seed}")
                print(name, seed, outcome, file=sys.stderr, flush=True)
    opensim.close()
    print("| file | " + " | ".join(given.texts) + " | all |")
    print("| --- " * (len(given.texts) + 2) + "|")
    for kind, meaning in OUTCOMES.items():
        row = [counts[name][kind] for name in given.texts]
        print(f"| {meaning} | " + " | ".join(map(str, [*row, sum(row)])) + " |")
    for (kind, reason), found in sorted(reasons.items(), key=lambda item: -len(item[1])):
        print(f"{kind:12s} {len(found):5d}  {reason}  ({', '.join(found[:3])})")


if __name__ == "__main__":
    main()
