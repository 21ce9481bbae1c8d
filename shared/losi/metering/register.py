"""The register of opened days: lists the accounts that used the API on a day without a table scan.

Each opening of an account's day first writes an entry here, so that no open day is missing. A day's
entries are spread over partitions, each of which takes a thousand openings a second:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-sharding.html
"""

import zlib
from datetime import UTC, date, datetime

from losi.identity.values import DAY_SECONDS
from losi.metering.day_item import Hold, sort_key
from losi.store.writes import Update

SHARDS = 16
#: Long enough to compare a quarter's invoices.
KEPT_DAYS = 100


def partition(account_id: str, day: date, *, test: bool) -> str:
    return _partition(day, zlib.crc32(account_id.encode()) % SHARDS, test=test)


def partitions(day: date, *, test: bool) -> list[str]:
    """All partitions with entries of the day; the sort keys in them are account ids."""
    return [_partition(day, shard, test=test) for shard in range(SHARDS)]


def key(account_id: str, day: date, *, test: bool) -> dict[str, dict[str, str]]:
    return {"pk": {"S": partition(account_id, day, test=test)}, "sk": {"S": account_id}}


def entry(hold: Hold) -> Update:
    """Record that the hold's account opens its day. A repetition changes nothing."""
    midnight = datetime(hold.day.year, hold.day.month, hold.day.day, tzinfo=UTC)
    return {
        "Key": key(hold.account_id, hold.day, test=hold.test),
        "UpdateExpression": "SET #ttl = :ttl",
        "ExpressionAttributeNames": {"#ttl": "ttl"},
        "ExpressionAttributeValues": {
            ":ttl": {"N": str(int(midnight.timestamp()) + KEPT_DAYS * DAY_SECONDS)}
        },
    }


def _partition(day: date, shard: int, *, test: bool) -> str:
    return f"OPENED#{sort_key(day, test=test)}#{shard:02}"
