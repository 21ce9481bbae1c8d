"""The ledger: admits a request within its plan's limits, and settles what it used, once.

One conditional UpdateItem each, on the account's day item; no transaction ever touches it. The
item's layout stands in losi.metering.day_item, the proofs in docs/ledger.md. Calls block: async
code runs them in a thread.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from losi.errors import StoreUnavailableError
from losi.identity.principal import Principal
from losi.metering import expressions
from losi.metering.day_item import (
    MINUTE_SECONDS,
    DayItem,
    DayUsage,
    Hold,
    days_around,
    minute_of_day,
    sort_key,
    utc_day,
    yesterday,
)
from losi.metering.refusals import RateLimits, rate_limits, refusal
from losi.metering.usage import MAX_TOKENS, Usage
from losi.store.client import Item, partition, store_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from losi.catalogue.plans import Plan

__all__ = ["Admission", "DayUsage", "Hold", "Ledger", "RateLimits"]

logger = logging.getLogger("losi.ledger")

#: Clocks of two processes may differ by less than this.
CLOCK_SKEW_SECONDS = 60.0
#: An admission may find the day not open, then expired holds in its way, then neither.
ADMISSION_TRIES = 4


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to call a provider. Its hold must be settled or released."""

    hold: Hold
    limits: RateLimits


class Ledger:
    """The only writer of day items. Every method may raise StoreUnavailableError (503)."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        clock: Callable[[], float] = time.time,
        plans: Collection["Plan"] = (),
    ) -> None:
        """`plans` are those that a refusal may recommend."""
        self._client = client
        self._table = table
        self._clock = clock
        self._plans = plans

    def admit(
        self,
        principal: Principal,
        model_code: str,
        request_id: str,
        input_tokens: int,
        hold_tokens: int,
        expires_at: float,
    ) -> Admission:
        """Hold `hold_tokens` (input estimate and capped output) for a request about to run.

        `request_id` is unique; a repetition of the very same admission is the same admission.
        `expires_at` lies beyond the moment until which the request's process can settle.
        Raises RateLimitError, QuotaExceededError or StaleAuthenticationError.
        """
        now = self._clock()
        day = utc_day(now)
        hold = Hold(
            principal.account_id,
            day,
            principal.test,
            request_id,
            tokens=hold_tokens,
            input_tokens=input_tokens,
            expires=math.ceil(expires_at),
            key_id=principal.key_id,
            model_code=model_code,
            minute=minute_of_day(day, now),
        )
        try:
            return self._admit(hold, principal, now)
        except StoreUnavailableError:
            self._abandon(hold)
            raise

    def settle(self, hold: Hold, usage: Usage) -> bool:
        """Count what the request used in place of its hold. True once, then False."""
        counted = _clamped(usage)
        if counted != usage:
            logger.warning("%s usage clamped: %s counts as %s", hold.request_id, usage, counted)
        if usage.estimated:
            logger.info("%s usage estimated: %s", hold.request_id, counted)
        if self._close(hold, counted):
            return True
        logger.warning("%s was settled before; not counted: %s", hold.request_id, counted)
        return False

    def release(self, hold: Hold) -> bool:
        """Give back the tokens of a request that produced nothing. True once, then False.

        The request stays counted in its minute: a caller who provokes failures is slowed too.
        """
        return self._close(hold, None)

    def mark_changed(
        self, account_id: str, what: str, version: int, *, test: bool | None = None
    ) -> None:
        """From now on refuse authentications that read the record before `version`.

        `what` is a key id, or "p" for the profile. `test` tells which kind of key it is; None
        marks both kinds of day items.
        """
        for day in days_around(self._clock(), CLOCK_SKEW_SECONDS):
            for kind in (False, True) if test is None else (test,):
                self._update(expressions.marking(account_id, day, what, version, test=kind))

    def usage(self, account_id: str, start: date, end: date) -> list[DayUsage]:
        """What was settled on each day from `start` to `end`; days without usage are left out."""
        days = self._live_days(account_id, start, end)
        if sum(self._settle_expired(day) for day in days):
            days = self._live_days(account_id, start, end)
        return [usage for day in days if (usage := day.usage()).requests]

    def last_used(self, account_id: str) -> dict[str, datetime]:
        """Key id -> its last admitted request, to the minute, for live and test keys."""
        days = [day for test in (False, True) for day in self._latest(account_id, test=test)]
        return {
            key_id: datetime.fromtimestamp(minute * MINUTE_SECONDS, UTC)
            for key_id, minute in _last_uses(days).items()
        }

    def forget_key(self, account_id: str, key_id: str) -> None:
        """Drop a deleted key's last use, which would be carried from day to day for ever.

        Call it after `mark_changed`, so that no later request brings it back.
        """
        for test in (False, True):
            for day in self._latest(account_id, test=test):
                self._update(expressions.forgetting(account_id, day.day, key_id, test=test))

    def _admit(self, hold: Hold, principal: Principal, now: float) -> Admission:
        for _ in range(ADMISSION_TRIES):
            admitted, day = self._try_admit(hold, principal, now)
            expired = self._settle_expired(day)
            if admitted or _is_same(day.holds().get(hold.request_id), hold):
                hold = replace(hold, windows=day.windows())
                return Admission(hold, rate_limits(day, principal.plan, now))
            if not day.is_open:
                self._open_day(hold)
            elif not expired:
                break
        raise refusal(day, hold, principal, now, self._plans)

    def _try_admit(self, hold: Hold, principal: Principal, now: float) -> tuple[bool, DayItem]:
        """Whether the hold was placed, and the day item with it, or as it refused."""
        item: Item | None
        try:
            with store_errors():
                response = self._client.update_item(
                    TableName=self._table,
                    **expressions.admission(hold, principal, now),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            admitted, item = True, response["Attributes"]
        except self._client.exceptions.ConditionalCheckFailedException as error:
            refused: Any = error.response
            admitted, item = False, refused.get("Item")
        return admitted, DayItem(hold.account_id, hold.day, test=hold.test, item=item)

    def _open_day(self, hold: Hold) -> None:
        earlier = self._latest(hold.account_id, yesterday(hold.day), test=hold.test)
        for day in earlier:
            self._settle_expired(day)
        self._update(expressions.opening(hold, _last_uses(earlier)))

    def _settle_expired(self, day: DayItem) -> int:
        """Settle at their estimated input the holds of dead processes; how many there were."""
        now = self._clock()
        expired = [hold for hold in day.holds().values() if hold.expires < now]
        for hold in expired:
            usage = _clamped(Usage(hold.input_tokens, 0, estimated=True))
            if self._close(hold, usage):
                logger.warning("%s expired: usage estimated: %s", hold.request_id, usage)
        return len(expired)

    def _close(self, hold: Hold, usage: Usage | None) -> bool:
        return self._update(expressions.closing(hold, usage, self._clock()))

    def _abandon(self, hold: Hold) -> None:
        """After an admission without an answer: it may have landed, and nobody will use it."""
        try:
            self.release(hold)
        except StoreUnavailableError:
            logger.error("%s may be held until %d without running", hold.request_id, hold.expires)

    def _update(self, update: expressions.Update) -> bool:
        """Whether the item met the update's condition and was changed."""
        try:
            with store_errors():
                self._client.update_item(TableName=self._table, **update)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _live_days(self, account_id: str, start: date, end: date) -> list[DayItem]:
        with store_errors():
            return list(self._query(account_id, start, end, test=False))

    def _latest(self, account_id: str, end: date = date.max, *, test: bool) -> list[DayItem]:
        """The last two days up to `end` that were opened, newest first.

        Two, because just after midnight a slower clock still writes to the older one.
        """
        latest: list[DayItem] = []
        with store_errors():
            for day in self._query(
                account_id, date.min, end, test=test, ScanIndexForward=False, Limit=2
            ):
                if day.is_open:
                    latest.append(day)
                if len(latest) == 2:
                    break
        return latest

    def _query(
        self, account_id: str, start: date, end: date, *, test: bool, **options: Any
    ) -> Iterator[DayItem]:
        """Consistent, so that a request is seen as soon as it is settled."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :account AND sk BETWEEN :start AND :end",
            ExpressionAttributeValues={
                ":account": {"S": partition(account_id)},
                ":start": {"S": sort_key(start, test=test)},
                ":end": {"S": sort_key(end, test=test)},
            },
            ConsistentRead=True,
            **options,
        )
        for page in pages:
            yield from map(DayItem.from_item, page["Items"])


def _is_same(known: Hold | None, hold: Hold) -> bool:
    """Whether the hold stands already: an earlier try landed, and only its answer was lost."""
    return known is not None and known.to_attribute() == hold.to_attribute()


def _last_uses(days: Iterable[DayItem]) -> dict[str, int]:
    """Key id -> epoch minute of its last use on any of the days."""
    last: dict[str, int] = {}
    for day in days:
        for key_id, minute in day.last_uses().items():
            last[key_id] = max(minute, last.get(key_id, 0))
    return last


def _clamped(usage: Usage) -> Usage:
    """The usage as it is counted: no figure negative, absurd, or larger than what it is part of."""
    read = _between(usage.input_tokens, MAX_TOKENS)
    written = _between(usage.output_tokens, MAX_TOKENS)
    cached = _between(usage.cached_tokens, read)
    return Usage(
        input_tokens=read,
        output_tokens=written,
        cached_tokens=cached,
        cache_write_tokens=_between(usage.cache_write_tokens, read - cached),
        reasoning_tokens=_between(usage.reasoning_tokens, written),
        estimated=usage.estimated,
    )


def _between(figure: int, most: int) -> int:
    return max(0, min(figure, most))
