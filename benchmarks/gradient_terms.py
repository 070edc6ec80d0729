"""Is the derivative of A worth having in the gradient of an implicit step?

    python benchmarks/gradient_terms.py [--steps 10 30] [--settings fast …] [--worlds 16] [--plot]

An implicit step solves with I − h A, where A is the stiff part of the Jacobian
(`jaxosim/linearization.py`). The gradient of the discrete step contains A's own derivative. One can
hold A still instead (`stop_gradient`): what is left is a gradient too, since the order of the
methods does not depend on A, and cheaper. Which is nearer to the gradient of the motion itself?

The pelvis's forward speed after so many control steps by constant excitations `[muscle]`, for
worlds with random excitations and poses, float64. The gradient of the motion is that of the
explicit method `rk4` with 250 substeps, which knows no A; a world counts only where 200 substeps
agree to 1 %, since a motion that meets a jump of force has no gradient to compare with. Where the
two gradients are 5 % apart or more, a difference quotient of the explicit method itself, along the
direction in which they differ, decides between them: 0 where it follows the explicit method's own
derivative, 1 where it follows the implicit one's. (An explicit step does not end where a path
gains or loses a point, so that its derivative leaves the jump there out, its quotients do not.)
Time and memory are those of reverse mode, interleaved. One table, and one JSON line in
benchmarks/results/gradient_terms.jsonl.
"""

import argparse
import functools
import unittest.mock

import jax
import jax.numpy as jnp
import numpy as np
from plots import add_plot_option, panels
from record import record
from tables import show_table
from timing import compiled, medians
from workload import MODEL

import jaxosim
from jaxosim.integrators.linearization import linearize
from jaxosim.randomize import pose

SETTINGS = {
    "fast": jaxosim.Options.fast(),
    "default": jaxosim.Options(),
    "fine": jaxosim.Options.fine(),
}
EXPLICIT = (250, 200)  # substeps, of the motion's gradient and of what has to agree with it
_KNOWN = 0.01
_APART = 0.05  # relative: gradients so far apart are told from each other by a quotient
_QUOTIENT_STEP = 3e-3  # of the excitations, to both sides: some jumps lie within
COLUMNS = (
    *("control steps", "setting", "A", "cosine, median", "cosine, least"),
    *("relative error, median", "90 %", "worlds 5 % apart", "quotient there"),
    *("time of a value", "temporary (kB)"),
)


def held_still(evaluation, h):
    """The structured Jacobian as a constant; inertia, which is part of the rates, goes on."""
    lin = linearize(evaluation, h)
    still = jax.lax.stop_gradient((lin.damping, lin.stiffness, lin.fibers, lin.paths))
    return lin._replace(damping=still[0], stiffness=still[1], fibers=still[2], paths=still[3])


WAYS = {"differentiated": linearize, "held still": held_still}


def job(worlds):
    """States and excitations `[world, …]`."""
    model, params = jaxosim.load_model(MODEL)
    coordinates = params.coordinates

    def one(key):
        turn, drive = jax.random.split(key)
        q, u = pose()(model, coordinates.default_value, coordinates.default_speed_value, turn)
        excitation = jax.random.uniform(drive, (len(model.muscle_names),), q.dtype, 0.05, 0.6)
        return jaxosim.initial_state(model, params, q, u), excitation

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), worlds))


def speed(options, steps, state, excitation):
    """Forward speed of the pelvis (m/s) after so many steps with one excitation `[muscle]`."""
    model, params = jaxosim.load_model(MODEL)
    excitations = jnp.tile(excitation, (steps, 1))
    states = jaxosim.rollout(model, params, state, excitations, options)
    return states.u[-1, model.coordinate_names.index("pelvis_tx")]


def motion_gradients(given, steps):
    """The motion's own gradients `[world, muscle]`, and in which worlds they are known."""

    def gradient(substeps, state, excitation):
        options = jaxosim.Options(method="rk4", substeps=substeps)
        return jax.jacfwd(functools.partial(speed, options, steps, state))(excitation)

    tight, loose = (
        np.asarray(jax.jit(jax.vmap(functools.partial(gradient, substeps)))(*given))
        for substeps in EXPLICIT
    )
    size = np.linalg.norm(tight, axis=1)
    return tight, np.linalg.norm(tight - loose, axis=1) <= _KNOWN * size


def compared(gradients, expected):
    """How gradients `[world, muscle]` agree."""
    lengths = np.linalg.norm(gradients, axis=1), np.linalg.norm(expected, axis=1)
    cosine = np.sum(gradients * expected, axis=1) / (lengths[0] * lengths[1])
    error = np.linalg.norm(gradients - expected, axis=1) / lengths[1]
    return {
        "cosine, median": float(np.median(cosine)),
        "cosine, least": float(cosine.min()),
        "relative error, median": float(np.median(error)),
        "90 %": float(np.quantile(error, 0.9)),
    }


def arbitrated(given, steps, found, expected):
    """Where gradients `[world, muscle]` are apart, what a quotient of the motion says."""
    apart = found - expected
    length = np.linalg.norm(apart, axis=1)
    far = length >= _APART * np.linalg.norm(expected, axis=1)
    if not far.any():
        return {"worlds 5 % apart": 0, "quotient there": None}
    states, excitations = jax.tree.map(lambda leaf: leaf[far], given)
    along = apart[far] / length[far, None]
    options = jaxosim.Options(method="rk4", substeps=EXPLICIT[0])
    ends = jax.jit(jax.vmap(functools.partial(speed, options, steps)))
    ahead, behind = (
        np.asarray(ends(states, excitations + side * _QUOTIENT_STEP * along)) for side in (1, -1)
    )
    quotient = (ahead - behind) / (2 * _QUOTIENT_STEP)
    side = (quotient - np.sum(along * expected[far], axis=1)) / length[far]
    return {"worlds 5 % apart": int(far.sum()), "quotient there": float(np.median(side))}


def measure(given, steps, repeats, settings):
    """A row per setting and way, and the number of worlds that count."""
    expected, known = motion_gradients(given, steps)
    rows, calls = [], {}
    for name in settings:
        options = SETTINGS[name]
        value = jax.vmap(functools.partial(speed, options, steps))
        calls[name] = functools.partial(compiled(value, *given).call, *given)
        for way, jacobian in WAYS.items():
            gradient = jax.vmap(jax.grad(functools.partial(speed, options, steps), argnums=1))
            with unittest.mock.patch("jaxosim.integrators.linearization.linearize", jacobian):
                jax.clear_caches()
                program = compiled(gradient, *given)
            calls[f"{name} {way}"] = functools.partial(program.call, *given)
            found = np.asarray(program.call(*given))
            row = {"control steps": steps, "setting": name, "A": way}
            row |= compared(found[known], expected[known])
            row |= arbitrated(
                jax.tree.map(lambda leaf: leaf[known], given), steps, found[known], expected[known]
            )
            rows.append(row | {"temporary (kB)": program.temporary / len(known) / 1e3})
    seconds = medians(calls, repeats)
    for row in rows:
        name = row["setting"]
        row["time of a value"] = seconds[f"{name} {row['A']}"] / seconds[name]
    return rows, int(known.sum())


def draw(rows):
    """Error of either gradient, by setting and length."""
    lengths = sorted({row["control steps"] for row in rows})
    with panels("gradient_terms", [f"{steps} control steps" for steps in lengths]) as axes:
        for axis, steps in zip(axes, lengths, strict=True):
            for way in WAYS:
                some = [row for row in rows if row["control steps"] == steps and row["A"] == way]
                errors = [row["relative error, median"] for row in some]
                axis.semilogy([row["setting"] for row in some], errors, "o-", label=f"A {way}")
            axis.set_ylabel("relative error of the gradient, median")
            axis.legend()


def main():
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 30])
    parser.add_argument("--worlds", type=int, default=16)
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--repeats", type=int, default=5)
    add_plot_option(parser)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    worlds, rows, known = job(given.worlds), [], {}
    for steps in given.steps:
        own, known[steps] = measure(worlds, steps, given.repeats, given.settings)
        rows += own
        counted = f"{known[steps]} of {given.worlds} worlds with a known gradient"
        cells = [[row[name] for name in COLUMNS] for row in own]
        show_table(f"{MODEL}, {steps} control steps, float64, {counted}", COLUMNS, cells)
    record("gradient_terms", {"worlds": given.worlds, "known": known, "gradients": rows})
    if given.plot:
        draw(rows)


if __name__ == "__main__":
    main()
