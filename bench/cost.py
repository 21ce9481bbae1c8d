"""What a month costs, from list prices: `python -m bench.cost` prints docs/performance.md's table.

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


if __name__ == "__main__":
    print(table(), end="")
