"""`python -m bench`: rounds of every figure, shuffled and interleaved; medians and spreads.

With `--peers` it measures the peers too, and writes docs/performance.md's tables.
"""

import asyncio
import random
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import load, report
from bench.gateways import Gateway, running

ROUNDS = 5


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
    before = gateway.cpu()
    seen = await load.run(ask, figure.at_once, figure.requests)
    used = gateway.cpu() - before
    if figure is FIRST:
        return statistics.median(seen.first) * 1e3
    return used / seen.events * 1e6 if figure.stream else used / figure.requests * 1e3


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


def main() -> None:
    peers = "--peers" in sys.argv
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), peers=peers) as gateways,
    ):
        found = asyncio.run(rounds(gateways))
    units = {figure.name: figure.unit for figure in FIGURES}
    text = report.table(found, units, [gateway.name for gateway in gateways])
    print(text)
    if peers:
        report.write(text, found)


if __name__ == "__main__":
    main()
