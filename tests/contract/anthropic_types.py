"""Anthropic's and OpenAI's own types as the judges of what we send and answer."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from anthropic.types.message_create_params import MessageCreateParams
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel, TypeAdapter

from tests.loose import Json

_REQUEST: TypeAdapter[Any] = TypeAdapter(MessageCreateParams)
#: Not in these types any more, though the models in the catalogue take them.
_OLDER = ("temperature", "top_p", "top_k")


def check_request(body: Mapping[str, Any]) -> None:
    """Nothing missing, of the wrong type, or unknown to Anthropic."""
    known = {name: value for name, value in body.items() if name not in _OLDER}
    assert _exhausted(_REQUEST.validate_python(known)) == known


def check_completion(completion: Json) -> None:
    checked = ChatCompletion.model_validate(completion)
    assert checked.choices[0].message.role == "assistant"


def accumulate(chunks: list[Json]) -> Json:
    """What OpenAI's SDK makes of a stream, brought to the form of a plain answer."""
    state: Any = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    completion: Json = state.current_completion_snapshot.model_dump(exclude_unset=True)
    for call in completion["choices"][0]["message"].get("tool_calls") or ():
        call.pop("index")
        call["function"].pop("parsed_arguments", None)
    return completion


def comparable(completion: Json) -> Json:
    """Without what says nothing about the answer: the time, and how arguments are spaced."""
    choice = completion["choices"][0]
    message = {k: v for k, v in choice["message"].items() if v is not None and k != "parsed"}
    for call in message.get("tool_calls") or ():
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return {
        "message": message,
        "finish_reason": choice["finish_reason"],
        "usage": completion["usage"],
        "model": completion["model"],
        "id": completion["id"],
    }


def _exhausted(value: Any) -> Any:
    """Validation of iterables is lazy: go through them, so that mistakes inside show."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    if isinstance(value, dict):
        return {name: _exhausted(item) for name, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_exhausted(item) for item in value]
    return value
