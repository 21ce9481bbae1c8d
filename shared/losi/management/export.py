"""All that is stored of an account, as JSON."""

from dataclasses import asdict
from datetime import date
from typing import Any

from losi.catalogue.catalogue import Catalogue
from losi.identity.session import Session, Sessions, usage_name
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.metering.day_item import DayUsage
from losi.metering.usage import Usage

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
    return {
        "day": day.day.isoformat(),
        "requests": day.requests,
        **_tokens_json(day.total),
        "by_key_and_model": [
            {
                "key": usage_name(key_id),
                "model": _model_id(code, catalogue),
                "requests": n,
                **_tokens_json(usage),
            }
            for (key_id, code), (n, usage) in sorted(day.by_key_model.items())
        ],
    }


def _tokens_json(usage: Usage) -> dict[str, int]:
    return {name: count for name, count in asdict(usage).items() if name != "estimated"}


def _model_id(code: str, catalogue: Catalogue) -> str:
    model = catalogue.by_code(code)
    return model.id if model else code
