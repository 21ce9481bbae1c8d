"""GET /api/v1/audit-log: who changed which key or the account, what, when and from where."""

import re
from typing import TYPE_CHECKING, Annotated

from fastapi import Query
from pydantic import Field

from losi.errors import InvalidRequestError
from losi.web.endpoints import Answers
from losi.web.injection import AppAccounts, Caller
from losi.web.parsing import StrictQuery
from losi.web.responses import JsonResponse

if TYPE_CHECKING:
    from losi.web.schemas import AuditLog

MOST = 100
_CURSOR = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}#[0-9A-Za-z]{1,32}", re.ASCII)


class AuditQuery(StrictQuery):
    limit: int = Field(default=MOST, ge=1, le=MOST, description="How many records at most.")
    before: str | None = Field(
        default=None, description="`next` of an earlier answer: the records before those."
    )


def get_audit_log(
    caller: Caller, accounts: AppAccounts, query: Annotated[AuditQuery, Query()]
) -> "Annotated[JsonResponse, Answers(AuditLog)]":
    """The newest records first. They are kept for 400 days, also when keys are deleted. A test key
    sees no record: those of live keys are not its to see.
    """
    if query.before is not None and not _CURSOR.fullmatch(query.before):
        raise InvalidRequestError(
            "'before' must be the 'next' of an earlier answer.",
            param="before",
            code="invalid_value",
        )
    if caller.test:
        return JsonResponse({"data": [], "next": None})
    records = accounts.audit_log(caller.account_id, query.limit, query.before)
    last = records[-1].sort if len(records) == query.limit else None
    return JsonResponse({"data": [record.as_json() for record in records], "next": last})
