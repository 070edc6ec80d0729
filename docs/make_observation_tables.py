"""Writes docs/observations/: every entry of every environment's observation, from the code itself.

python docs/make_observation_tables.py
"""

import pathlib
from collections.abc import Mapping

import numpy as np

from jaxosim.envs.base import Env
from jaxosim.envs.registry import ENVS, make
from jaxosim.host.files import replacing

FOLDER = pathlib.Path(__file__).resolve().parent / "observations"
VARIANTS = {  # those whose entries differ
    "ProstheticsEnv": ({}, {"prosthetic": False}, {"observe_target": True}),
}
COMMAND = "python docs/make_observation_tables.py"


def page(name: str) -> str:
    """The page of one environment, in Markdown."""
    tables = [table(make(name, **options), options) for options in VARIANTS.get(name, ({},))]
    about = (
        f"Made by `{COMMAND}`. What the entries mean, the reward and the ending:\n"
        "[environments.md](../environments.md). `jaxosim obs "
        f"{name}` prints the same with the values after a reset."
    )
    return "\n\n".join([f"# Observation of {name}", about, *tables]) + "\n"


def table(env: Env, options: Mapping[str, object]) -> str:
    """One line for each entry; bounds where there are any."""
    given = ", ".join(f"{option}={value!r}" for option, value in options.items())
    bounded = bool(np.isfinite([env.observation_low, env.observation_high]).any())
    title = f"## {given or 'Default options'}: {env.observation_size} entries"
    head = "| index | name | unit |" + (" low | high |" if bounded else "")
    lines = [title, "", head, "|---:|---|---|" + ("---:|---:|" if bounded else "")]
    columns = (env.observation_names, env.observation_units)
    bounds = zip(env.observation_low, env.observation_high, strict=True)
    for index, (entry, unit, (low, high)) in enumerate(zip(*columns, bounds, strict=True)):
        tail = f" {low:.6g} | {high:.6g} |" if bounded else ""
        lines.append(f"| {index} | {entry} | {unit} |{tail}")
    return "\n".join(lines)


def main() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name in ENVS:
        path = FOLDER / f"{name}.md"
        with replacing(path) as unfinished:
            unfinished.write_text(page(name), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
