"""`python -m bench`: rounds of every figure, shuffled and interleaved; medians and spreads.

With `--peers` it measures the peers too, and writes docs/performance.md's tables.
"""

import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import deployed, load, report
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

ROUNDS = 3
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
FIRST = Figure("first chunk, one at once, ms p50", "Hi", "openai", True, 1, 20)


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


async def rounds(gateways: list[Gateway]) -> report.Results:
    cells = [
        (gateway, figure)
        for gateway in gateways
        for figure in [*FIGURES, FIRST]
        if figure.format in gateway.models
        and not (gateway.name == "direct" and figure.format == "anthropic")
    ]
    found: report.Results = {}
    for number in range(ROUNDS + 1):
        random.shuffle(cells)
        for gateway, figure in cells:
            value = await measured(gateway, figure)
            if number:  # the first round warms up
                found.setdefault(figure.name, {}).setdefault(gateway.name, []).append(value)
    for gateway in gateways[1:]:
        found.setdefault("resident after load, MiB", {})[gateway.name] = [gateway.resident()]
    return found


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
    peers = "--peers" in sys.argv
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
        found = asyncio.run(rounds(gateways))
        everything = asyncio.run(deployed.resident_with_all(runtime, keys[1]))
        found["resident with 64 streams, MiB"] = {runtime.name: [everything]}
        cold = [(start, cold_start(start)) for _ in range(ROUNDS) for start in starts]
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
    print(*tables, sep="\n")
    if peers:
        report.write(tables, found)


if __name__ == "__main__":
    main()
