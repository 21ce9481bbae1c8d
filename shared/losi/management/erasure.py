"""What is removed with an account: all its items but the profile, and what leads to it. Pure."""

from collections.abc import Iterable
from typing import Any

from losi.management.emails import LOOKUP
from losi.metering import register
from losi.metering.day_item import PROFILE_RECORD, DayItem, valid_version
from losi.store.client import LOGIN, PROFILE, Item

PROFILE_MARK = valid_version(PROFILE_RECORD)


def erasing(items: Iterable[Item], version: int, mark_ends: int) -> list[Any]:
    """Requests of BatchWriteItem that remove the items of a disabled account, except its profile.

    If today's item has the mark of `version`, the mark alone stays until `mark_ends` (epoch
    seconds): it ends the principals that other processes have cached.
    """
    requests: list[Any] = []
    for item in items:
        key = {"pk": item["pk"], "sk": item["sk"]}
        requests += [{"DeleteRequest": {"Key": other}} for other in _leading_to(item)]
        if item.get(PROFILE_MARK, {}).get("N") == str(version):
            mark = {**key, PROFILE_MARK: item[PROFILE_MARK], "ttl": {"N": str(mark_ends)}}
            requests.append({"PutRequest": {"Item": mark}})
        elif item["sk"]["S"] != PROFILE:
            requests.append({"DeleteRequest": {"Key": key}})
    return requests


def _leading_to(item: Item) -> list[Item]:
    """Keys of items elsewhere that exist only because of this one."""
    sort = item["sk"]["S"]
    if sort.startswith(LOGIN):
        return [{"pk": {"S": sort}, "sk": {"S": LOOKUP}}]
    if sort.startswith(("DAY#", "TEST#")):
        day = DayItem.from_item(item)
        return [register.key(day.account_id, day.day, test=day.test)]
    return []
