"""All that is stored of an account, as JSON."""

from datetime import date
from typing import Any

from losi.catalogue.models import Catalogue
from losi.identity.session import Session, Sessions
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.metering.day_item import DayUsage
from losi.metering.everyone import of_account
from losi.metering.spending import By, Spent, spent

MOST_RECORDS = 100_000


def export_account(
    accounts: Accounts,
    books: Books,
    sessions: Sessions,
    catalogue: Catalogue,
    account_id: str,
    today: date,
    current: Session | None = None,
) -> dict[str, Any]:
    """Of secrets there are only fingerprints, which are left out. `current` is the session that
    asks. `test_usage` is that of test keys, which nobody is billed.
    """
    account = accounts.account(account_id)
    began = account.created_at.date()
    return {
        # the id by which providers know the account's requests
        "account": {**account.as_json(), "end_user_id": account.tag},
        "keys": [key.as_json() for key in accounts.keys(account_id)],
        "audit_log": [record.as_json() for record in accounts.audit_log(account_id, MOST_RECORDS)],
        "sessions": [each.as_json(current) for each in sessions.of_account(account_id)],
        "sign_ins": accounts.sign_ins(account_id),
        "usage": [usage_json(day, catalogue) for day in books.usage(account_id, began, today)],
        "test_usage": [
            usage_json(day, catalogue) for day in books.usage(account_id, began, today, test=True)
        ],
    }


def usage_json(day: DayUsage, catalogue: Catalogue) -> dict[str, Any]:
    pairs = spent(of_account("", [day]), (By.KEY, By.MODEL), catalogue)
    return {
        "day": day.day.isoformat(),
        **sum(pairs.values(), Spent()).as_json(),
        "by_key_and_model": [
            {"key": key, "model": model, **each.as_json()}
            for (key, model), each in sorted(pairs.items())
        ],
    }
