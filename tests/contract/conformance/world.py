"""Every route alone, with a strict upstream behind it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from losi.catalogue.loader import SHIPPED, load
from losi.catalogue.models import Model, Route
from losi.chat.needs import routes_for
from losi.chat.prepare import prepare
from losi.chat.request import parse_chat_request
from losi.errors import LosiError
from losi.metering.estimate import input_tokens
from losi.upstream.routing import ChatRouter, Job
from tests.fake_format import chunks_of
from tests.strict_upstream import StrictUpstream
from tests.strict_upstream.rules import Json

_SHIPPED = load(SHIPPED)
#: Providers that no shipped model uses: an operator may name them in a route.
OTHERS = (
    Route(
        provider=_SHIPPED.providers["groq"],
        model="openai/gpt-oss-120b",
        efforts=("low", "medium", "high"),
    ),
    Route(provider=_SHIPPED.providers["mistral"], model="mistral-medium-latest"),
    Route(provider=_SHIPPED.providers["gemini"], model="gemini-3-pro"),
    Route(
        provider=_SHIPPED.providers["azure"],
        model="gpt-4o",
        max_output_tokens=16_384,
        unsupported_parameters=frozenset({"reasoning_effort"}),
    ),
    Route(provider=_SHIPPED.providers["together"], model="llama-4"),
    Route(provider=_SHIPPED.providers["vllm"], model="qwen3"),
    Route(provider=_SHIPPED.providers["ollama"], model="llama4"),
)


@dataclass(frozen=True)
class Alone:
    """A model with one of its routes."""

    model: Model
    route: Route

    def __str__(self) -> str:
        return f"{self.route.provider.id}/{self.route.model} for {self.model.id}"


def alone() -> Iterator[Alone]:
    """Every route of the catalogue that differs, and one of each other provider."""
    seen = set[tuple[str, str]]()
    models = _SHIPPED.models
    for model in (model for model in models.values() if model.kind == "chat"):
        for route in model.routes:
            if (route.provider.id, route.model) not in seen or model.id == "losi-omega":
                yield Alone(model, route)
            seen.add((route.provider.id, route.model))
    for route in OTHERS:
        yield Alone(models["gpt-4o"], route)


def environment(upstream: StrictUpstream) -> dict[str, str]:
    """What leads each provider's calls to the double."""
    variables = {
        "LOSI_OPENAI_API_KEY": "k",
        "LOSI_OPENAI_BASE_URL": f"{upstream.url}/v1",
        "LOSI_ANTHROPIC_API_KEY": "k",
        "LOSI_ANTHROPIC_BASE_URL": upstream.url,
        "LOSI_BEDROCK_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": upstream.url,
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "k",
    }
    for route in OTHERS:
        name = f"LOSI_{route.provider.id.upper()}"
        variables[f"{name}_API_KEY"] = "k"
        variables[f"{name}_BASE_URL"] = f"{upstream.url}/{route.provider.id}/v1"
    return variables


async def ask(router: ChatRouter, one: Alone, body: Json, *, stream: bool) -> Json:
    """The completion, or the list of chunks as `chunks`; raises the LosiError of a refusal."""
    request = parse_chat_request({"model": one.model.id, **body, "stream": stream})
    model = one.model.model_copy(update={"routes": (one.route,)})
    routes = routes_for(request, model, (), input_tokens(request.body), test_key=False)
    deadline = asyncio.get_running_loop().time() + 60
    job = Job(
        one.model.id,
        routes,
        lambda route: prepare(request, one.model, route),
        request.body.keys(),
        "req_1",
        deadline,
    )
    if not stream:
        answer, _ = await router.complete(job)
        return {**answer}
    batches, _ = await router.stream(job)
    return {"chunks": [chunk async for chunk in chunks_of(batches)]}


async def refused(
    router: ChatRouter, upstream: StrictUpstream, one: Alone, body: Json, *, stream: bool
) -> str | None:
    """Who refuses a request: the rule by which the vendor does, or `ours` and the parameter."""
    upstream.refused = []
    try:
        await ask(router, one, body, stream=stream)
    except LosiError as error:
        rules = [refusal.rule for refusal in upstream.refused]
        return ",".join(rules) or f"ours: {error.param or error.code}"
    return None
