"""Estimates of recorded requests beside the input tokens that their providers told."""

import json
from collections.abc import Iterator

from losi.metering.estimate import input_tokens
from tests.catalogue import PROVIDERS
from tests.contract.cassettes import Cassette, load
from tests.loose import Json

#: Tools that Claude's servers run, which no request of ours can say, and images that are not in
#: the record.
OTHERS = {"json-citations-02", "stream-server-tool-01", "json-vision-02"}
#: A prompt of one word eight hundred times, and a small image of a retired model: estimated at two
#: and three times what they were. And a schema, of which Claude is told in 130 tokens of its own.
FAR_OFF = {"stream-maxtokens-01", "json-length-01", "json-structured-02"}
#: What providers say of their own before a short conversation. It matters to no limit.
OWN_WORDS = 70


def test_recorded_requests_are_estimated_within_limits() -> None:
    recorded = [(cassette, reported_input(cassette)) for cassette in requests()]
    assert len(recorded) >= 40

    far_off = {
        cassette.name
        for cassette, tokens in recorded
        if not 0.7 <= estimate(cassette) / tokens <= 1.6
        and abs(estimate(cassette) - tokens) > OWN_WORDS
    }

    assert far_off == FAR_OFF


def test_openais_own_are_estimated_within_limits_but_for_one_in_twenty() -> None:
    ratios = [estimate(cassette) / reported_input(cassette) for cassette in requests("openai")]

    assert sum(0.7 <= ratio <= 1.6 for ratio in ratios) >= 16
    assert min(ratios) > 0.9


def test_no_request_of_a_recorded_conversation_counts_less_than_a_quarter() -> None:
    for cassette in requests():
        assert estimate(cassette) >= reported_input(cassette) / 4


def requests(*folders: str) -> Iterator[Cassette]:
    """Those that were answered and whose usage was told."""
    for folder in folders or ("openai", "anthropic", "dialects"):
        for cassette in load(folder, "*-*.json"):
            known = "model" in cassette.request and cassette.name not in OTHERS
            if known and cassette.status == 200 and reported_input(cassette):
                yield cassette


def reported_input(cassette: Cassette) -> int:
    """Input tokens, read from a cache or not, in the last that was said of each."""
    figures: dict[str, int] = {}
    for event in objects(cassette.body.decode()):
        message = event.get("message")
        figures |= (message if isinstance(message, dict) else event).get("usage") or {}
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return figures.get("prompt_tokens") or sum(figures.get(name, 0) for name in names)


def objects(body: str) -> Iterator[Json]:
    """The answer, or the events of a stream."""
    if body.lstrip().startswith("{"):
        yield json.loads(body)
        return
    for line in body.splitlines():
        if line.startswith("data:") and line[5:].lstrip().startswith("{"):
            yield json.loads(line[5:])


def estimate(cassette: Cassette) -> int:
    """What is held for the prompt: with the words of the provider's own about tools."""
    request = in_our_format(cassette.request)
    is_claude = "claude" in request["model"]
    own = PROVIDERS["anthropic"].tools_tokens if is_claude and request.get("tools") else 0
    return input_tokens(request) + own


def in_our_format(request: Json) -> Json:
    """The same said in OpenAI's words, as a caller says it to us."""
    request = dict(request)
    if system := request.pop("system", None):
        request["messages"] = [{"role": "system", "content": system}, *request["messages"]]
    if output := request.pop("output_config", None):
        request["response_format"] = output["format"]
    if "claude" in request["model"]:
        request["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool["name"],
                    "description": tool.get("description"),
                    "parameters": tool["input_schema"],
                },
            }
            for tool in request.get("tools", ())
        ]
    return request
