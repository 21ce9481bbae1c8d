"""`make faults`: every failure on both servers, as a table; fails when anything is lost."""

import asyncio
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from local.table import create_table
from tests.dynamodb_local import connect, running_dynamodb
from tests.faults import scenarios
from tests.faults.scenarios import Place

Server = Callable[..., AbstractAsyncContextManager[Place]]
Scenario = Callable[[Place], Awaitable[tuple[int, int]]]

SCENARIOS: list[tuple[str, str, Server, dict[str, int], Scenario]] = [
    (
        "store resets connections for 0.2 s as a stream ends",
        "front door",
        scenarios.front_door,
        {},
        lambda place: scenarios.blip_at_the_end(place, 10),
    ),
    (
        "the same",
        "make run",
        scenarios.make_run,
        {},
        lambda place: scenarios.blip_at_the_end(place, 10),
    ),
    (
        "for 1 s while 50 streams end, as many as an account may have",
        "make run",
        scenarios.make_run,
        {},
        lambda place: scenarios.resets_under(place, 50),
    ),
    (
        "for 1 s while 8 streams end",
        "front door",
        scenarios.front_door,
        {"processes": 8},
        lambda place: scenarios.resets_under(place, 8),
    ),
    (
        "half of all writes throttled",
        "make run",
        scenarios.make_run,
        {},
        lambda place: scenarios.half_the_writes_throttled(place, 160, 20),
    ),
    (
        "half of all writes throttled",
        "front door",
        scenarios.front_door,
        {"processes": 4},
        lambda place: scenarios.half_the_writes_throttled(place, 40, 4),
    ),
    (
        "store gone, processes killed (-9) after they handed over",
        "front door",
        scenarios.front_door,
        {"processes": 5},
        lambda place: scenarios.killed_after_handing_over(place, 5),
    ),
]

BOTH: list[tuple[str, Server]] = [
    ("front door", scenarios.front_door),
    ("make run", scenarios.make_run),
]


async def main() -> int:
    lost = 0
    print("| Failure | Server | Answered | Billed |\n|-|-|-|-|")
    with running_dynamodb() as endpoint:
        client = connect(endpoint)
        for failure, name, server, options, scenario in SCENARIOS:
            async with at(server, client, **options) as place:
                answered, billed = await scenario(place)
            print(f"| {failure} | {name} | {answered} | {billed} |", flush=True)
            lost += answered - billed
        for name, server in BOTH:
            async with at(server, client) as place:
                seconds = await scenarios.seconds_to_refuse_while_the_store_hangs(place)
            print(f"| store hangs: 503 after {seconds:.1f} s | {name} | 0 | 0 |", flush=True)
    return 1 if lost else 0


def at(server: Server, client: Any, **options: int) -> AbstractAsyncContextManager[Place]:
    table = f"faults-{uuid.uuid4().hex[:8]}"
    create_table(client, table)
    return server(client, table, Path(tempfile.mkdtemp()), **options)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
