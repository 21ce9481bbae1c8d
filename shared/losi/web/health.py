"""GET /api/v1/health: whether the API works, for load balancers and monitors."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from losi import __version__
from losi.identity.values import iso
from losi.web.endpoints import Answers
from losi.web.injection import AppServices
from losi.web.responses import JsonResponse

if TYPE_CHECKING:
    from losi.web.schemas import Health


async def get_health(
    services: AppServices,
) -> "Annotated[JsonResponse, Answers(Health, reads_table=True)]":
    """Says that the API and its database work; 503 when the database does not answer.

    It needs no key, and reads the database once in five seconds at most.
    """
    await services.store_health.check()
    now = iso(datetime.now(UTC))
    return JsonResponse({"status": "ok", "version": __version__, "time": now})
