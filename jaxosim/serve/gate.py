"""Who may ask, and how often."""

import time
from collections import OrderedDict

from jaxosim.serve.challenge import Challenge
from jaxosim.serve.database import Account, Database
from jaxosim.serve.errors import RefusedError

_FRESH = 1.0  # s for which an account is not looked up again; a revoked token ends after it
_MOST_KEPT = 10_000  # of anything that clients can make up
_BURST = 2.0  # s of requests that may come at once
_NO_TOKEN = "token: expected one that the challenge's keeper has given out"


class Bucket:
    """Allows a rate of events, and bursts."""

    def __init__(self, rate: float, burst: float) -> None:
        """A full bucket; rate in 1/s."""
        self._rate, self._burst = rate, burst
        self._left, self._then = burst, time.monotonic()

    def has_any(self) -> bool:
        """Whether an event is allowed now."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._then) * self._rate)
        self._then = now
        return self._left >= 1.0

    def take(self) -> bool:
        """Count an event; whether it was allowed."""
        allowed = self.has_any()
        self._left -= allowed
        return allowed


class Gate:
    """Tokens, owners and rates; belongs to one thread."""

    def __init__(self, challenge: Challenge, database: Database) -> None:
        """Nobody has asked yet."""
        self._limits, self._database = challenge.limits, database
        self._accounts: OrderedDict[str, tuple[float, Account | None]] = OrderedDict()
        self._owners: OrderedDict[str, int] = OrderedDict()
        self._revoked: OrderedDict[int, tuple[float, bool]] = OrderedDict()
        self._rates: OrderedDict[int, Bucket] = OrderedDict()
        self._refusals: OrderedDict[str, Bucket] = OrderedDict()

    def account_of(self, token: object, address: str) -> Account:
        """The account of a token.

        Args:
          token: of the request.
          address: from which it comes.

        Raises:
          RefusedError: it is none, or there have been too many of these.
        """
        per_minute = self._limits.refusals_per_minute
        bucket = _kept(self._refusals, address, lambda: Bucket(per_minute / 60.0, per_minute))
        if not bucket.has_any():
            raise RefusedError(429, "too many requests with a wrong token: wait a minute")
        account = self._known(token) if isinstance(token, str) else None
        if account is None:
            bucket.take()
            raise RefusedError(401, _NO_TOKEN)
        return account

    def _known(self, token: str) -> Account | None:
        """The account, looked up at most once a second."""
        then, account = self._accounts.get(token, (-_FRESH, None))
        if account is None or time.monotonic() - then >= _FRESH:
            account = self._database.account_of(token)
            self._accounts.pop(token, None)
            if account is not None:  # what is made up is not kept
                _keep(self._accounts, token, (time.monotonic(), account))
        return account

    def admit(self, account: int) -> None:
        """Count a request of an account.

        Raises:
          RefusedError: its token has been revoked, or there are too many.
        """
        then, revoked = self._revoked.get(account, (-_FRESH, False))
        if time.monotonic() - then >= _FRESH:
            revoked = self._database.is_revoked(account)
            _keep(self._revoked, account, (time.monotonic(), revoked))
        if revoked:
            raise RefusedError(401, _NO_TOKEN)
        rate = self._limits.requests_per_second
        bucket = _kept(self._rates, account, lambda: Bucket(rate, max(1.0, _BURST * rate)))
        if not bucket.take():
            raise RefusedError(429, f"expected at most {rate:g} requests per second of one token")

    def owner_of(self, instance: str) -> int:
        """The account whose submission this is.

        Raises:
          RefusedError: there is no such submission.
        """
        if instance not in self._owners:
            submission = self._database.submission(instance)
            if submission is None:
                raise RefusedError(404, "there is no such submission")
            _keep(self._owners, instance, submission.account)
        return self._owners[instance]

    def check_owner(self, instance: str, account: Account) -> None:
        """Refuse others' submissions, as if there were none.

        Raises:
          RefusedError: it is another's, or there is no such submission.
        """
        if self.owner_of(instance) != account.id:
            raise RefusedError(404, "there is no such submission")


def _keep(kept: OrderedDict, key: object, value: object) -> None:
    """Add an entry, the oldest goes where there are too many."""
    kept[key] = value
    if len(kept) > _MOST_KEPT:
        kept.popitem(last=False)


def _kept(kept: OrderedDict, key: object, make) -> Bucket:
    """An entry, made if it is missing."""
    if key not in kept:
        _keep(kept, key, make())
    return kept[key]
