"""`jaxosim submit`: a policy takes part in a challenge."""

import importlib.util
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import click
import rich.progress

from jaxosim.cli import report
from jaxosim.host.compilation_cache import use_compilation_cache
from jaxosim.osim_rl.http import Client

_MODULE = "jaxosim_submitted_policy"
_NAME = "policy"


@click.command(short_help="Play a challenge's episodes with POLICY.")
@click.argument("policy", metavar="POLICY")
@click.argument("arguments", nargs=-1)
@click.option("--url", required=True, help="Address of the server, such as http://127.0.0.1:8000.")
@click.option("--token", required=True, envvar="JAXOSIM_TOKEN", help="From the challenge's keeper.")
def submit(policy: str, arguments: tuple[str, ...], url: str, token: str) -> None:
    """Play all episodes of the challenge at --url with POLICY, and print the score.

    POLICY is FILE.py or FILE.py:NAME (NAME is "policy" if absent), a function of an observation
    that returns an action. With ARGUMENTS, NAME is called with them first and returns that
    function. Where it has a method `reset`, that is called when an episode begins. --token may be
    given as JAXOSIM_TOKEN.
    """
    use_compilation_cache()
    act = _policy(policy, arguments)
    try:
        client = Client(url)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--url") from error
    described = client.challenge()
    observation = client.env_create(token, described["env_id"])
    columns = rich.progress.Progress.get_default_columns()
    counter = rich.progress.MofNCompleteColumn()
    with rich.progress.Progress(*columns, counter, console=report.error_console()) as progress:
        task = progress.add_task("episodes", total=described["episodes"])
        while observation:
            begin_episode = getattr(act, "reset", None)
            if begin_episode is not None:
                begin_episode()
            done = False
            while not done:
                observation, _, done, _ = client.env_step(act(observation))
            progress.advance(task)
            observation = client.env_reset()
    client.submit()


def _policy(name: str, arguments: tuple[str, ...]) -> Callable[[Any], Any]:
    """The function that the command line names.

    Raises:
      BadParameter: there is no such file, or no such function in it.
    """
    path, _, chosen = name.partition(".py:")
    file = pathlib.Path(f"{path}.py" if chosen else name)
    if file.suffix != ".py" or not file.is_file():
        raise click.BadParameter(f"there is no Python file {str(file)!r}.", param_hint="POLICY")
    spec = importlib.util.spec_from_file_location(_MODULE, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module  # dataclasses look for it
    spec.loader.exec_module(module)
    found = getattr(module, chosen or _NAME, None)
    if not callable(found):
        message = f"{file} has no function {chosen or _NAME!r}."
        raise click.BadParameter(message, param_hint="POLICY")
    act = found(*arguments) if arguments else found
    if not callable(act):
        raise click.BadParameter(f"{name} returned no function.", param_hint="POLICY")
    return act
