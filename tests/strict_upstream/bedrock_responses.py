"""Bedrock's other endpoints: OpenAI's Responses, and what mantle serves: B50 to B52."""

from collections.abc import Iterator

from tests.strict_upstream.rules import Refusal, Request, Rulebook

BOOK = Rulebook()


@BOOK.refuses("B50")
def responses(r: Request) -> Iterator[Refusal]:
    if "model" not in r.body:
        yield Refusal("Missing required parameter: 'model'.", "model")
    if not r.model.startswith(("us.", "global.")):
        yield Refusal(f"The model '{r.model}' is served by an inference profile only.", "model")
    if r.body.get("background"):
        yield Refusal("Background mode is not supported.", "background")
    if any(tool.get("type") not in ("function", "custom") for tool in r.tools):
        yield Refusal("Server tools are not supported.", "tools")
    if "guardrailConfig" in r.body:
        yield Refusal("Guardrails are not supported.", "guardrailConfig")
    if r.body.get("previous_response_id"):
        message = f"Response with id '{r.body['previous_response_id']}' not found."
        yield Refusal(message, "previous_response_id", status=404)


@BOOK.refuses("B51")
def mantle(r: Request) -> Iterator[Refusal]:
    if "claude" in r.model and not r.path.endswith("/messages"):
        yield Refusal(f"The model '{r.model}' is served by /anthropic/v1/messages.", "model")
    if "claude" not in r.model and r.path.endswith("/messages"):
        yield Refusal(f"The model '{r.model}' is not served by /anthropic/v1/messages.", "model")


@BOOK.refuses("B52")
def files_of_anthropic(r: Request) -> Iterator[Refusal]:
    if "container" in r.body:
        yield Refusal("container: Extra inputs are not permitted")
    for message in r.messages:
        for block in message.get("content") or ():
            if isinstance(block, dict) and (block.get("source") or {}).get("type") == "file":
                yield Refusal("source.file: file ids are not supported")
