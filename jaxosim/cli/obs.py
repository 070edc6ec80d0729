"""`jaxosim obs`: the observation of an environment, entry by entry."""

import click
import jax
import numpy as np
import rich.table

from jaxosim.cli import report
from jaxosim.envs.base import Env
from jaxosim.envs.registry import ENVS, make


@click.command(epilog="ENV is one of " + ", ".join(ENVS) + ".")
@click.argument("env", type=click.Choice(list(ENVS)), metavar="ENV")
@click.option("--variant", type=click.Choice(["3D", "2D"]), help="Of ProstheticsEnv, L2M2019Env.")
@click.option(
    "--prosthetic/--intact", default=None, help="Right leg of ProstheticsEnv; default prosthetic."
)
@click.option("--difficulty", type=click.IntRange(0, 3), help="Of ProstheticsEnv, L2M2019Env.")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of the reset."
)
def obs(
    env: str, variant: str | None, prosthetic: bool | None, difficulty: int | None, seed: int
) -> None:
    """Print index, name, unit and value after reset of each entry of ENV's observation."""
    given = {"variant": variant, "prosthetic": prosthetic, "difficulty": difficulty}
    options = {name: value for name, value in given.items() if value is not None}
    try:
        task = make(env, **options)
    except (TypeError, ValueError) as error:
        raise click.UsageError(f"{error}.") from error
    es = jax.jit(task.reset)(jax.random.key(seed))
    report.output_console().print(observation_table(task, np.asarray(es.obs)))


def observation_table(env: Env, values: np.ndarray) -> rich.table.Table:
    """One row for each entry of the observation.

    Args:
      env: whose observation it is.
      values: `[entry]`.
    """
    columns = ("index", "right"), ("name", "left"), ("unit", "left"), ("value", "right")
    table = report.plain_table(f"{type(env).__name__}: {len(values)} entries", *columns)
    rows = zip(env.observation_names, env.observation_units, values, strict=True)
    for index, (name, unit, value) in enumerate(rows):
        table.add_row(str(index), name, unit, f"{value:.6g}")
    return table
