"""`jaxosim serve` and `jaxosim regrade`: hold a challenge. Need the extra `serve`."""

import pathlib
from typing import Any

import click
import jax

from jaxosim.host import interrupts
from jaxosim.host.optional import require

_challenge = click.argument(
    "challenge",
    type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    default="challenge.toml",
)


def _module(name: str) -> Any:
    """A module of the server; the extra is asked for first.

    Raises:
      MissingExtraError: it is not installed.
    """
    for package in ("orjson", "sqlalchemy", "starlette", "uvicorn"):
        require(package, "serve")
    return require(f"jaxosim.serve.{name}", "serve")


@click.command(short_help="Hold the challenge that CHALLENGE describes.")
@_challenge
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--add-token", metavar="NAME", help="Print a new token for NAME, and end.")
@click.option("--revoke-token", metavar="NAME", help="Revoke NAME's token, and end.")
def serve(
    challenge: pathlib.Path,
    host: str,
    port: int,
    add_token: str | None,
    revoke_token: str | None,
) -> None:
    """Grade submissions to CHALLENGE, a TOML file (challenge.toml if absent).

    The server is bound to this machine unless --host says otherwise; put a reverse proxy with TLS
    before it. A token is shown once and stored as a digest; a new one of a NAME ends the old one.
    """
    read = _module("challenge").read_challenge(challenge)
    if add_token is None and revoke_token is None:
        with interrupts.as_the_end():
            _module("run").serve(read, host, port)
        return
    database = _module("database").Database(read.database)
    if revoke_token is not None:
        database.revoke(revoke_token)
        click.echo(f"revoked the token of {revoke_token}")
    if add_token is not None:
        click.echo(database.add_account(add_token))
    database.close()


@click.command(short_help="Play the stored actions of RESULT again.")
@click.argument("result", type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path))
@click.option("--submission", type=int, metavar="ID", help="Only this one, named as on its page.")
def regrade(result: pathlib.Path, submission: int | None) -> int:
    """Play all submissions in RESULT, a server's database, again; each must give its score.

    Every reward is compared to the bit. The status is 1 if one differs, which means that the
    server ran another version, or that the file has been changed.
    """
    database = _module("database").Database(result)
    challenge = _module("challenge").challenge_of(database.graded())
    jax.config.update("jax_enable_x64", challenge.precision == "float64")
    chosen = [one for one in database.submissions() if submission in (None, one.id)]
    if submission is not None and not chosen:
        raise click.BadParameter(f"there is no submission {submission}.", param_hint="ID")
    status = 0
    for one in chosen:
        found = _module("regrade").regrade(challenge, database, one)
        verdict = "same" if found.is_same else f"DIFFERS: {found.difference or 'the sum'}"
        click.echo(f"{one.id} {one.name}: {found.stored!r}, again {found.total!r}: {verdict}")
        status |= not found.is_same
    database.close()
    return int(status)
