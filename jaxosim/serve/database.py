"""Accounts, submissions, episodes and steps: what is stored, and what is read back."""

import dataclasses
import functools
import hashlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from jaxosim.serve import tables
from jaxosim.serve.challenge import Challenge
from jaxosim.serve.errors import ChallengeError, RefusedError

_TOKEN_BYTES = 32
_INSTANCE_BYTES = 16
_DAY = 86400.0  # s
_LONGEST_NAME = 80
_LARGEST_NUMBER = 2**63 - 1  # of SQLite's integers


@dataclasses.dataclass(frozen=True)
class Account:
    """Who takes part."""

    id: int
    name: str


@dataclasses.dataclass(frozen=True)
class Submission:
    """One pass through the episodes; `total` and `complete` are None while it is open."""

    id: int
    instance: str
    account: int
    name: str  # of the account
    key: str | None
    client: str
    created: float
    closed: float | None
    total: float | None
    complete: bool | None


@dataclasses.dataclass(frozen=True)
class Episode:
    """One episode of a submission.

    Attributes:
      number: from 0.
      key: idempotency key of the request that began it.
      seed: of the episode.
      actions: `[step, action]` (1).
      rewards: `[step]`.
      done: whether the last step has ended it.
      step_keys: idempotency key of each step, or None.
    """

    number: int
    key: str | None
    seed: int
    actions: np.ndarray
    rewards: list[float]
    done: bool
    step_keys: list[str | None]


def hash_of(token: str) -> str:
    """What is stored of a token: it is long and random, so that a plain digest suffices."""
    return hashlib.sha256(token.encode()).hexdigest()


class Database:
    """The results of one challenge; methods that write belong into `begin()`."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
          OSError: it cannot be opened, or is no database.
        """
        self.path = path
        self.engine = tables.open_database(path)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def claim(self, challenge: Challenge) -> None:
        """Store what is graded, or compare with what is stored.

        Raises:
          ChallengeError: the file holds results of another challenge.
        """
        graded = challenge.graded()
        with self.engine.begin() as connection:
            stored = connection.execute(sa.select(tables.challenge.c.graded)).scalar()
            if stored is None:
                row = {"name": challenge.name, "graded": graded}
                connection.execute(tables.challenge.insert(), [row])
            elif stored != graded:
                raise ChallengeError(
                    f"{self.path}: expected results of this challenge, found those of another "
                    f"task, option, accuracy or seed"
                )

    def graded(self) -> str:
        """What is graded.

        Raises:
          ChallengeError: the file holds no results.
        """
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(tables.challenge.c.graded)).scalar()
        if found is None:
            raise ChallengeError(f"{self.path}: expected results of a challenge, found none")
        return found

    # --------------------------------------------------------------------------- accounts

    def add_account(self, name: str) -> str:
        """A new token of an account, which is made if there is none; an older token ends.

        Raises:
          ChallengeError: the name is empty, too long or not printable.
        """
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
            raise ChallengeError(
                f"name: expected 1 to {_LONGEST_NAME} printable characters, got {name!r}"
            )
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        values = {"token_hash": hash_of(token), "revoked": None}
        table = tables.account
        with self.engine.begin() as connection:
            changed = connection.execute(
                table.update().where(table.c.name == name).values(**values)
            ).rowcount
            if not changed:
                row = {"name": name, "created": time.time(), **values}
                connection.execute(table.insert(), [row])
        return token

    def revoke(self, name: str) -> None:
        """End the token of an account; its results stay.

        Raises:
          ChallengeError: there is no such account.
        """
        table = tables.account
        with self.engine.begin() as connection:
            changed = connection.execute(
                table.update().where(table.c.name == name).values(revoked=time.time())
            ).rowcount
        if not changed:
            raise ChallengeError(f"name: there is no account {name!r}")

    def account_of(self, token: str) -> Account | None:
        """The account of a token that has not been revoked."""
        table = tables.account
        query = sa.select(table.c.id, table.c.name).where(
            table.c.token_hash == hash_of(token), table.c.revoked.is_(None)
        )
        with self.engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else Account(row.id, row.name)

    def is_revoked(self, account: int) -> bool:
        """Whether the token of an account has been revoked."""
        query = sa.select(tables.account.c.revoked).where(tables.account.c.id == account)
        with self.engine.connect() as connection:
            return connection.execute(query).scalar() is not None

    # ------------------------------------------------------------------------ submissions

    def begin(self) -> Any:
        """A transaction, as a context manager; it is on the disk when the block has ended."""
        return self.engine.begin()

    def add_submission(
        self, connection: sa.Connection, challenge: Challenge, account: int, new: dict[str, Any]
    ) -> Submission:
        """A new submission, or the one that the same request has begun before.

        Args:
          connection: from `begin`.
          challenge: whose limits hold.
          account: whose it is.
          new: `key`, `client`, `versions`.

        Raises:
          RefusedError: a limit has been reached.
        """
        table, limits = tables.submission, challenge.limits
        if new["key"] is not None:
            mine = (table.c.account == account) & (table.c.key == new["key"])
            known = self._submissions(connection, mine)
            if known:
                return known[0]
        is_open, is_mine = table.c.closed.is_(None), table.c.account == account
        recent = table.c.created > time.time() - _DAY

        def count(*conditions: Any) -> int:
            query = sa.select(sa.func.count()).select_from(table).where(*conditions)
            return connection.execute(query).scalar_one()

        if count(is_open, is_mine) >= limits.open_per_token:
            raise RefusedError(
                429, f"this token has {limits.open_per_token} open submissions: close one first"
            )
        if count(recent, is_mine) >= limits.daily_per_token:
            raise RefusedError(
                429, f"this token has begun {limits.daily_per_token} submissions within a day"
            )
        if count(is_open) >= limits.worlds:
            raise RefusedError(503, "the server is full: try again later")
        instance = secrets.token_hex(_INSTANCE_BYTES)
        row = {"instance": instance, "account": account, "created": time.time(), **new}
        connection.execute(table.insert(), [row])
        return self._submissions(connection, table.c.instance == instance)[0]

    def submission(self, instance: str) -> Submission | None:
        """A submission by what clients call it."""
        with self.engine.connect() as connection:
            found = self._submissions(connection, tables.submission.c.instance == instance)
        return found[0] if found else None

    def submissions(self, *conditions: Any) -> list[Submission]:
        """Submissions in the order in which they were begun."""
        with self.engine.connect() as connection:
            return self._submissions(connection, *conditions)

    def closed_submission(self, number: int) -> Submission | None:
        """A submission that has ended, by its number; None if there is none."""
        table = tables.submission
        if number > _LARGEST_NUMBER:  # SQLite would refuse to look for it
            return None
        found = self.submissions(table.c.id == number, table.c.closed.is_not(None))
        return found[0] if found else None

    def ranking(self) -> list[Submission]:
        """The best complete submission of each account, the best first."""
        complete = self.submissions(tables.submission.c.complete.is_(True))
        best: dict[int, Submission] = {}
        for one in sorted(complete, key=lambda found: (-(found.total or 0.0), found.id)):
            best.setdefault(one.account, one)
        return list(best.values())

    @staticmethod
    def _submissions(connection: sa.Connection, *conditions: Any) -> list[Submission]:
        table = tables.submission
        columns = [
            table.c[field.name] for field in dataclasses.fields(Submission) if field.name != "name"
        ]
        query = (
            sa.select(*columns, tables.account.c.name)
            .join(tables.account, tables.account.c.id == table.c.account)
            .where(*conditions)
            .order_by(table.c.id)
        )
        return [Submission(**row._mapping) for row in connection.execute(query)]

    def episodes(self, submission: int) -> list[Episode]:
        """The episodes of a submission with all their steps."""
        begun, steps = tables.episode, tables.step
        with self.engine.connect() as connection:
            rows = connection.execute(
                sa.select(begun.c.number, begun.c.key, begun.c.seed)
                .where(begun.c.submission == submission)
                .order_by(begun.c.number)
            ).all()
            taken: dict[int, list[Any]] = {row.number: [] for row in rows}
            for row in connection.execute(
                sa.select(steps).where(steps.c.submission == submission).order_by(steps.c.number)
            ):
                taken[row.episode].append(row)
        return [_episode(row, taken[row.number]) for row in rows]

    @staticmethod
    def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows, whose values SQLite takes as they are."""
        if rows:
            connection.exec_driver_sql(_insertion(table), list(rows))

    @staticmethod
    def close_submission(
        connection: sa.Connection, submission: int, total: float, complete: bool
    ) -> None:
        """Store the score of a submission that ends."""
        values = {"closed": time.time(), "total": total, "complete": complete}
        table = tables.submission
        connection.execute(table.update().where(table.c.id == submission).values(**values))


@functools.cache
def _insertion(table: sa.Table) -> str:
    """The statement that adds a row; SQLAlchemy takes longer to fill it in than SQLite to do it."""
    return str(table.insert().compile(dialect=sqlite.dialect(paramstyle="named")))


def _episode(row: Any, steps: list[Any]) -> Episode:
    """An episode from its rows."""
    actions = np.array([np.frombuffer(one.action, "<f8") for one in steps])
    return Episode(
        number=row.number,
        key=row.key,
        seed=row.seed,
        actions=actions,
        rewards=[one.reward for one in steps],
        done=bool(steps and steps[-1].done),
        step_keys=[one.key for one in steps],
    )
