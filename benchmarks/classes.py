"""Are rates and gradients of every class of muscles and paths finite in random states?

    python benchmarks/classes.py [CLASS …] [--states 1000000] [--gradients 10000] [--seed 0]

Each class has a small model of its own (class_models.py). States are random; in edge states every
eighth number is at an end of its range or at a kink: no angle or half a turn, no speed, no or full
activation and excitation, a fiber of no length, at its minimum or optimal, a tendon without force,
at its least or five times as strong as the muscle. Rates are counted in edge states, in float64 and
float32, and so are gradients of a random weighted sum of all rates by state, controls and every
parameter. In random states without such numbers the float64 gradient along a random direction is
compared with a difference quotient, as in gradients.py, with path points moved at random by about
a millimeter, off the surfaces that some of them start on. Counts are of states with any number that
is not finite. One table; each class appends a line to benchmarks/results/classes.jsonl.
"""

import argparse
import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from class_models import FUNCTIONS, MUSCLES, WRAPS, text_of
from gradients import KNOWN, directional, weighted_rates
from record import record
from tables import show_table

import jaxosim

NAME = "classes"
CLASSES = (*MUSCLES, *WRAPS, FUNCTIONS)
COLUMNS = (
    *("class", "states", "float64", "float32", "gradients", "float64 ", "float32 "),
    *("compared", "median error", "99 %", "largest", "seconds"),
)
PRECISIONS: tuple[str, ...] = ("float64", "float32")
_CHUNK = 10_000
_GRADIENTS = 1_000  # at once
_AT_EDGE = 1 / 8  # of the numbers
_MOVED = 1e-3  # m
_LARGEST_SINE = float(np.sqrt(0.99))  # of pennation angles, which gives the least fiber length

World = tuple[jaxosim.State, jax.Array]


def load(kind: str) -> tuple[jaxosim.Model, jaxosim.Params]:
    """The model of a class."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{kind}.osim"
        path.write_text(text_of(kind), encoding="utf-8")
        return jaxosim.load_model(path)


def random_worlds(
    model: jaxosim.Model, params: jaxosim.Params, count: int, seed: list[int], edges: bool
) -> World:
    """States and controls `[world, …]`, with or without numbers at edges; float64."""
    rng = np.random.default_rng(seed)
    optimal = np.asarray(params.muscles.optimal_fiber_length)
    width = optimal * np.sin(np.asarray(params.muscles.pennation_angle_at_optimal))
    none, one = np.zeros_like(optimal), np.ones_like(optimal)

    def drawn(values: np.ndarray, *ends: float | np.ndarray) -> jax.Array:
        if edges and values.size:
            table = np.stack([np.broadcast_to(end, values.shape) for end in ends])
            end = np.take_along_axis(table, rng.integers(len(ends), size=(1, *values.shape)), 0)[0]
            values = np.where(rng.random(values.shape) < _AT_EDGE, end, values)
        return jnp.asarray(values)

    angles = (count, len(model.coordinate_names))
    near = rng.random((count, 1)) < 0.5  # where paths wrap
    muscles = (count, len(optimal))
    tendons = (count, model.sizes["degroote_fregly2016"])
    state = jaxosim.State(
        time=jnp.zeros(count),
        q=drawn(np.where(near, 0.6, 3.5) * rng.uniform(-1, 1, angles), 0.0, np.pi, -np.pi),
        u=drawn(3 * rng.normal(size=angles), 0.0),
        activation=drawn(rng.uniform(0.01, 1, muscles), none, one, 0.01 * one),
        fiber_length=drawn(
            rng.uniform(0.5, 1.5, muscles) * optimal, none, width / _LARGEST_SINE, width, optimal
        ),
        normalized_tendon_force=drawn(rng.uniform(0, 1.5, tendons), -0.2, 0.0, 5.0),
        force_states=jnp.zeros((count, model.sizes["force_state"])),
    )
    controls = (count, len(model.control_names))
    return state, drawn(rng.uniform(0, 1, controls), 0.0, 1.0)


def cast(tree, dtype):
    """The same numbers in another precision."""
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), tree)


def all_finite(tree) -> jax.Array:
    """Whether every number of one world is finite."""
    return jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(tree)]).all()


def count_bad(
    program: Callable[..., jax.Array], model, params, count: int, chunk: int, seed: int
) -> dict[str, int]:
    """In how many edge states something is not finite, by precision."""
    found: dict[str, int] = dict.fromkeys(PRECISIONS, 0)
    for part in range(-(-count // chunk)):
        worlds = random_worlds(model, params, chunk, [seed, part], edges=True)
        for precision in PRECISIONS:
            finite = program(*cast((params, *worlds), precision))
            found[precision] += int((~finite).sum())
    return found


def with_moved_points(params: jaxosim.Params, seed: int) -> jaxosim.Params:
    """The parameters with every path point elsewhere."""
    location = np.asarray(params.paths.location)
    moved = location + _MOVED * np.random.default_rng(seed).normal(size=location.shape)
    return dataclasses.replace(
        params, paths=dataclasses.replace(params.paths, location=jnp.asarray(moved))
    )


def errors_of_gradients(model, params, count: int, seed: int) -> np.ndarray:
    """Of gradients along a direction, relative to max(1, |quotient|), where that is known."""
    scalar = weighted_rates(model, jax.random.key(7))
    params = with_moved_points(params, seed)
    program = jax.jit(jax.vmap(directional(scalar), in_axes=(None, 0, 0, 0)))
    found = []
    for part in range(-(-count // _GRADIENTS)):
        worlds = random_worlds(model, params, _GRADIENTS, [seed, part], edges=False)
        keys = jax.random.split(jax.random.key(part), _GRADIENTS)
        _, slope, quotient, doubt = map(np.asarray, program(params, *worlds, keys))
        size = np.maximum(1.0, np.abs(quotient))
        found.append((np.abs(slope - quotient) / size)[doubt <= KNOWN * size])
    return np.concatenate(found)


def measured(kind: str, states: int, gradients: int, seed: int) -> dict:
    """The figures of one class."""
    start = time.perf_counter()
    model, params = load(kind)
    scalar = weighted_rates(model, jax.random.key(7))

    def rates(params, state, controls):
        return all_finite(jaxosim.state_derivative(model, params, state, controls))

    def slopes(params, state, controls):
        return all_finite(jax.grad(scalar, argnums=(0, 1, 2))(params, state, controls))

    over_worlds = (None, 0, 0)
    program = jax.jit(jax.vmap(rates, in_axes=over_worlds))
    bad = count_bad(program, model, params, states, min(_CHUNK, states), seed)
    jax.config.update("jax_disable_most_optimizations", True)  # a question of right, not of speed
    program = jax.jit(jax.vmap(slopes, in_axes=over_worlds))
    bad_slopes = count_bad(program, model, params, gradients, min(_GRADIENTS, gradients), seed)
    errors = errors_of_gradients(model, params, gradients, seed)
    jax.config.update("jax_disable_most_optimizations", False)
    return {
        "rates not finite": bad,
        "gradients not finite": bad_slopes,
        "compared": len(errors),
        "errors": [float(np.percentile(errors, share)) for share in (50, 99, 100)],
        "seconds": time.perf_counter() - start,
    }


def row_of(kind: str, states: int, gradients: int, figures: dict) -> list:
    """A row of the table."""
    rates, slopes = (figures[f"{name} not finite"].values() for name in ("rates", "gradients"))
    compared = [figures["compared"], *(f"{error:.1e}" for error in figures["errors"])]
    return [kind, states, *rates, gradients, *slopes, *compared, figures["seconds"]]


def main() -> None:
    """Measure, record, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("classes", nargs="*", metavar="CLASS", help=", ".join(CLASSES))
    parser.add_argument("--states", type=int, default=1_000_000)
    parser.add_argument("--gradients", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    unknown = sorted(set(given.classes) - set(CLASSES))
    if unknown:
        parser.error(f"no class of muscles or paths: {', '.join(unknown)}")
    jax.config.update("jax_enable_x64", True)
    plan = {key: value for key, value in vars(given).items() if key != "classes"}
    rows = []
    for kind in given.classes or CLASSES:
        figures = measured(kind, **plan)
        record(NAME, {"class": kind, **plan, **figures})
        rows.append(row_of(kind, given.states, given.gradients, figures))
        print(dict(zip(COLUMNS, rows[-1], strict=True)), flush=True)
    show_table("States in which something is not finite", COLUMNS, rows)


if __name__ == "__main__":
    main()
