"""`python -m bench`: rounds of every figure, shuffled and interleaved; medians and spreads.

With `--peers` it measures the peers too, and writes docs/performance.md's tables. Words after that
choose figures: `python -m bench JSON paced` measures those alone, and writes nothing.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import admissions, deployed, load, report
from bench.gateways import (
    TABLE,
    Gateway,
    direct,
    litellm,
    make_run,
    portkey,
    provider,
    relay,
    store,
)
from bench.interpreter import interpreter
from losi.store.dynamodb import DynamoDB

ROUNDS = 5
Start = Callable[[], AbstractContextManager[Gateway]]


@dataclass(frozen=True)
class Figure:
    """What is asked, how often, and how many at once."""

    name: str
    prompt: str
    format: str
    stream: bool
    at_once: int
    requests: int

    @property
    def unit(self) -> str:
        return "µs an event" if self.stream else "ms a request"


FIGURES = [
    Figure("stream burst, 103 events", "Hi", "openai", True, 8, 40),
    Figure("stream burst, 1,003 events", "bench-long", "openai", True, 8, 16),
    Figure("events split over reads", "bench-split", "openai", True, 8, 40),
    Figure("events with CRLF", "bench-crlf", "openai", True, 8, 40),
    Figure("events of 4 kB", "bench-large", "openai", True, 8, 40),
    Figure("tool deltas", "bench-tools", "openai", True, 8, 40),
    Figure("stream from Anthropic", "Hi", "anthropic", True, 8, 40),
    Figure("paced, 20 ms", "bench-paced", "openai", True, 32, 32),
    Figure("JSON", "Hi", "openai", False, 8, 60),
]
FIRST = Figure("first chunk, one at once, ms p50", "Hi", "openai", True, 1, 40)
#: Of what a first chunk waits for here beyond the bare relay's: the goal is 1 ms, deployed 2 ms.
OVER = "first chunk, over the bare relay's and its admission's write, ms"
ADMISSION = "admission's write to the store, ms p50"
COLD_STARTS = 3
#: Of DynamoDB Local, for the round trips.
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


async def measured(gateway: Gateway, figure: Figure) -> float:
    """CPU of the gateway's process an event or a request, or the time to the first chunk."""
    ask = load.Ask(
        gateway.url,
        gateway.headers.get(figure.format, {}),
        gateway.models[figure.format],
        figure.prompt,
        figure.stream,
    )
    requests = max(figure.at_once, round(gateway.share * figure.requests))
    before = gateway.cpu()
    seen = await load.run(ask, figure.at_once, requests)
    used = gateway.cpu() - before
    if figure is FIRST:
        return statistics.median(seen.first) * 1e3
    return used / seen.events * 1e6 if figure.stream else used / requests * 1e3


async def rounds(gateways: list[Gateway], figures: list[Figure], store: DynamoDB) -> report.Results:
    cells = [
        (gateway, figure)
        for gateway in gateways
        for figure in figures
        if figure.format in gateway.models
        and not (gateway.name == "direct" and figure.format == "anthropic")
    ]
    ours = gateways[1:3]
    found: report.Results = {}
    for number in range(ROUNDS + 1):
        random.shuffle(cells)
        for gateway, figure in cells:
            if number % 2 and gateway.share < 1:
                continue
            values = {figure.name: await measured(gateway, figure)}
            if figure is FIRST and gateway in ours:
                values[ADMISSION] = await admissions.round_trip(store, TABLE)
            for name, value in values.items() if number else ():  # the first round warms up
                found.setdefault(name, {}).setdefault(gateway.name, []).append(value)
    add_over(found)
    for gateway in gateways[1:]:
        found.setdefault("resident after load, MiB", {})[gateway.name] = [gateway.resident()]
    return found


def add_over(found: report.Results) -> None:
    """Each of ours less what it must at least be; where the bare relay was measured."""
    first = found.get(FIRST.name, {})
    if "bare relay" not in first:
        return
    relayed = statistics.median(first["bare relay"])
    found[OVER] = {
        name: [value - relayed - trip for value, trip in zip(first[name], trips, strict=True)]
        for name, trips in found[ADMISSION].items()
    }


def cold_start(start: Start) -> float:
    """Milliseconds of CPU of a new process until its first answer has ended."""
    with start() as gateway:
        if gateway.name != deployed.NAME:  # which starts with its first request
            first = load.Ask(
                gateway.url, gateway.headers.get("openai", {}), gateway.models["openai"], "Hi", True
            )
            asyncio.run(load.run(first, 1, 1))
        return gateway.cpu() * 1e3


def main() -> None:
    peers, words = "--peers" in sys.argv, [one for one in sys.argv[1:] if one != "--peers"]
    figures = [one for one in [*FIGURES, FIRST] if _is_chosen(one, words)]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        address = stack.enter_context(provider())
        environment = stack.enter_context(store(address))
        ours = stack.enter_context(make_run(Path(folder), environment))
        keys = [deployed.new_key(environment, TABLE) for _ in range(2)]
        starts: list[Start] = [partial(deployed.deployed, environment, keys[0])]
        if peers:
            starts += [partial(relay, address), partial(portkey, address)]
            starts += [partial(litellm, Path(folder), address)]
        runtime, *others = [stack.enter_context(start()) for start in starts]
        gateways = [direct(address), ours, runtime, *others]
        os.environ.update({name: environment[name] for name in CREDENTIALS})
        table_store = DynamoDB("us-east-1", environment["AWS_ENDPOINT_URL_DYNAMODB"])
        found = asyncio.run(rounds(gateways, figures, table_store))
        if not words:
            everything = asyncio.run(deployed.resident_with_all(runtime, keys[1]))
            found["resident with 64 streams, MiB"] = {runtime.name: [everything]}
            cold = [(start, cold_start(start)) for _ in range(COLD_STARTS) for start in starts]
            found["cold start, ms of CPU to the first answer"] = {
                gateway.name: [value for start, value in cold if start is its]
                for gateway, its in zip([runtime, *others], starts, strict=True)
            }
    units = {figure.name: figure.unit for figure in FIGURES}
    names = [gateway.name for gateway in others]
    tables = [
        report.table(found, units, ["direct", ours.name, *names], ours.name),
        report.table(found, units, [runtime.name, *names], runtime.name),
    ]
    ran_on = f"Servers written in Python ran on {interpreter()}.\n"
    print(ran_on, *tables, sep="\n")
    if peers and not words:
        report.write([ran_on, *tables], found)


def _is_chosen(figure: Figure, words: list[str]) -> bool:
    return not words or any(word in figure.name for word in words)


if __name__ == "__main__":
    main()
