"""All that is stored of an account, as JSON."""

from dataclasses import asdict
from datetime import date
from typing import Any

from losi.catalogue.catalogue import Catalogue
from losi.identity.session import usage_name
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.metering.day_item import DayUsage
from losi.metering.usage import Usage

MOST_RECORDS = 100_000


def export_account(
    accounts: Accounts, books: Books, catalogue: Catalogue, account_id: str, today: date
) -> dict[str, Any]:
    """The profile, the keys (of their secrets there is nothing to export), the usage by day.

    Usage is what the live keys used; test keys are not billed, and counted only to limit them.
    """
    account = accounts.account(account_id)
    days = books.usage(account_id, account.created_at.date(), today)
    return {
        "account": account.as_json(),
        "keys": [key.as_json() for key in accounts.keys(account_id)],
        "audit_log": [record.as_json() for record in accounts.audit_log(account_id, MOST_RECORDS)],
        "usage": [usage_json(day, catalogue) for day in days],
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
