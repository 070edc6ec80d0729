"""The tables of a challenge's results, in SQLite through SQLAlchemy.

A step is written before it is answered, and a commit waits until it lies on the disk, so that
neither a killed process nor a power failure loses a step that was acknowledged.
"""

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

_MODE = 0o600  # of a new file: its owner alone
_metadata = sa.MetaData()

challenge = sa.Table(
    "challenge",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("graded", sa.String, nullable=False),  # Challenge.graded
)
account = sa.Table(
    "account",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("token_hash", sa.String, nullable=False, unique=True),
    sa.Column("created", sa.Float, nullable=False),  # s since 1970, as all times
    sa.Column("revoked", sa.Float),
)
submission = sa.Table(
    "submission",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("instance", sa.String, nullable=False, unique=True),  # what clients call it by
    sa.Column("account", sa.ForeignKey("account.id"), nullable=False, index=True),
    sa.Column("key", sa.String),  # idempotency key of the request that began it
    sa.Column("client", sa.String, nullable=False),  # version that the client names
    sa.Column("versions", sa.String, nullable=False),  # of jaxosim and JAX
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("closed", sa.Float),
    sa.Column("total", sa.Float),  # of the rewards, once it is closed
    sa.Column("complete", sa.Boolean),  # whether every episode has ended, once it is closed
    sa.UniqueConstraint("account", "key"),
)
episode = sa.Table(
    "episode",
    _metadata,
    sa.Column("submission", sa.ForeignKey("submission.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # from 0
    sa.Column("key", sa.String),  # of the request that began it
    sa.Column("seed", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
step = sa.Table(
    "step",
    _metadata,
    sa.Column("submission", sa.ForeignKey("submission.id"), primary_key=True),
    sa.Column("episode", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # from 0
    sa.Column("key", sa.String),
    sa.Column("action", sa.LargeBinary, nullable=False),  # float64, little endian
    sa.Column("reward", sa.Float, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)


def open_database(path: Path) -> sa.Engine:
    """The database of a file, which is made where it is missing.

    Raises:
      OSError: it cannot be opened, or is no database.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, _MODE))  # SQLite would let everyone read it
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=10000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    try:
        _metadata.create_all(engine)
    except exc.DatabaseError as error:
        raise OSError(f"{path}: expected a database of results: {error.orig}") from error
    return engine
