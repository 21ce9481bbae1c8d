"""What a month costs, from list prices, and what one account can do: `python -m bench.cost` prints
the tables of docs/performance.md and docs/scale.md.

US East (N. Virginia), arm64, November 2026, without free tiers and savings plans. Compute alone:
API Gateway, DynamoDB and logs come on top of ours (docs/deploy.md), a load balancer, Postgres and
Redis on top of LiteLLM.
"""

import math
from dataclasses import dataclass

SECONDS_A_MONTH = 730 * 3600

#: https://aws.amazon.com/lambda/pricing/
REQUEST = 0.20 / 1e6
GB_SECOND = 0.0000133334
SNAPSHOT_GB_SECOND = 0.0000015046
#: An m7g.large (2 vCPUs, 8 GB), with the fee of 15 % for managed instances.
#: https://aws.amazon.com/ec2/pricing/on-demand/
INSTANCE_MONTH = 0.0816 * 1.15 * 730
#: Fargate, 4 vCPUs and 8 GB, what LiteLLM's documentation asks for in production.
#: https://aws.amazon.com/fargate/pricing/ and https://docs.litellm.ai/docs/proxy/prod
CONTAINER_MONTH = (4 * 0.03238 + 8 * 0.00356) * 730

CHAT_GB = 0.25
#: Two processes of 64 streams.
STREAMS_AN_INSTANCE = 128
#: 474 us of CPU a paced event (LiteLLM's best; docs/performance.md has what is measured now),
#: 20 events a second, four processors that are 60 % busy.
STREAMS_A_CONTAINER = math.floor(4 * 0.6 / (474e-6 * 20))
FIRST_INSTANCES, FIRST_CONTAINERS = 3, 2
#: On demand: https://aws.amazon.com/dynamodb/pricing/on-demand/
WRITE_UNIT = 0.625 / 1e6
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
ITEM_UNITS_A_SECOND = 1_000
#: The day of an account whose ten keys use five models, and what each request in flight adds
#: (docs/ledger.md; tests/unit/test_costs.py measures both).
DAY_BYTES, HOLD_BYTES = 2_118, 50

#: Of the average, so many streams are there at the busiest time.
PEAK = 2


@dataclass(frozen=True)
class Load:
    requests: int
    #: Of one answer.
    seconds: int = 20
    tokens: int = 400

    @property
    def streams(self) -> float:
        """At once, on average."""
        return self.requests * self.seconds / SECONDS_A_MONTH


LOADS = [Load(100_000), Load(3_000_000), Load(100_000_000)]


def on_lambda(load: Load) -> float:
    return load.requests * (REQUEST + load.seconds * CHAT_GB * GB_SECOND)


def with_snapstart(load: Load) -> float:
    return on_lambda(load) + CHAT_GB * SNAPSHOT_GB_SECOND * SECONDS_A_MONTH


def on_instances(load: Load) -> float:
    count = max(FIRST_INSTANCES, math.ceil(PEAK * load.streams / STREAMS_AN_INSTANCE))
    return load.requests * REQUEST + count * INSTANCE_MONTH


def litellm(load: Load) -> float:
    count = max(FIRST_CONTAINERS, math.ceil(PEAK * load.streams / STREAMS_A_CONTAINER))
    return count * CONTAINER_MONTH


WAYS = {
    "Lambda, 256 MB": on_lambda,
    "Lambda with SnapStart": with_snapstart,
    "Lambda Managed Instances": on_instances,
    "LiteLLM in containers": litellm,
}


def table() -> str:
    """Dollars per million requests, and per million streamed tokens in brackets."""
    heads = [f"{load.requests:,} a month, {load.streams:,.1f} at once" for load in LOADS]
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(LOADS) + 1) + "|"]
    for name, price in WAYS.items():
        millions = [price(load) / load.requests * 1e6 for load in LOADS]
        cells = [
            f"{dollars:,.2f} ({dollars / load.tokens:,.3f})"
            for dollars, load in zip(millions, LOADS, strict=True)
        ]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines) + "\n"


def write_units(in_flight: int) -> int:
    """Of a request: it is admitted and settled by a write of the day item each."""
    return 2 * math.ceil((DAY_BYTES + HOLD_BYTES * in_flight) / 1024)


def most_in_flight(seconds: float) -> int:
    """How many requests of one account run at once when its item takes no more writes."""
    in_flight = 1
    while write_units(in_flight + 1) * (in_flight + 1) / seconds <= ITEM_UNITS_A_SECOND:
        in_flight += 1
    return in_flight


def table_of_one_account() -> str:
    lines = [
        "| an answer takes | at once | requests a second | write units each | USD a million |",
        "|---" * 5 + "|",
    ]
    for seconds in (1, 5, 20, 60, 300):
        most = most_in_flight(seconds)
        units = write_units(most)
        dollars = units * WRITE_UNIT * 1e6
        lines.append(f"| {seconds} s | {most} | {most / seconds:.1f} | {units} | {dollars:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), table_of_one_account(), sep="\n", end="")
