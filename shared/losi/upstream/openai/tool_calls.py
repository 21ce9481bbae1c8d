"""Tool calls of a stream as providers cut them, in the pieces that OpenAI sends. Pure.

SDKs add up strings by index. So each call needs an index of its own, its id and name once and in
its first piece, and arguments that are a text. Providers send names late or in pieces, ids that
change or are repeated, arguments as objects, or one index for all.
https://platform.openai.com/docs/api-reference/chat-streaming
"""

import json
from collections.abc import Iterator
from typing import Any

from losi.ids import random_id
from losi.wire import Json

#: Arguments that say nothing: some providers begin with them, and send the real ones after that.
_NOTHING = ("", "{}", "null")
_KINDS = {"function": "arguments", "custom": "input"}
_OWN = {"id", "index", "type", *_KINDS}


def arguments_text(value: Any) -> str:
    """Arguments as OpenAI types them: a JSON text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def whole_calls(told: Any) -> list[Json]:
    """The calls of a plain answer."""
    return [_whole_call(call) for call in _objects(told) if _kind(call)]


def _whole_call(call: Json) -> Json:
    kind = _kind(call) or "function"
    field, body = _KINDS[kind], call[kind]
    text = arguments_text(body.get(field))
    body = {**body, "name": _word(body.get("name")), field: text or ("{}" * (kind == "function"))}
    more = {name: value for name, value in call.items() if name not in _OWN - {"index"}}
    return {"id": _word(call.get("id")) or _new_id(), "type": kind, **more, kind: body}


class _Call:
    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.kind = "function"
        self.arguments = ""
        #: Fields that OpenAI does not have, such as the signature of Gemini's thoughts.
        self.more: Json = {}
        #: Ours; None until the name is known, which stands in the first piece.
        self.index: int | None = None

    @property
    def is_whole(self) -> bool:
        try:
            json.loads(self.arguments)
        except (ValueError, RecursionError):
            return False
        return True


class ToolCalls:
    """The calls of one choice."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._at: dict[Any, _Call] = {}  # the provider's index -> the call it means now

    @property
    def begun(self) -> bool:
        """Whether any call was passed on."""
        return any(call.index is not None for call in self._calls)

    def feed(self, pieces: Any) -> list[Json]:
        """The pieces to pass on for a delta's `tool_calls`."""
        return [said for piece in _objects(pieces) if (said := self._feed(piece))]

    def finish(self) -> list[Json]:
        """What is still to be said at the end: arguments of calls that have none are `{}`."""
        return list(self._last_pieces())

    def _last_pieces(self) -> Iterator[Json]:
        for call in self._calls:
            if call.index is not None and call.kind == "function" and not call.arguments:
                yield {"index": call.index, "function": {"arguments": "{}"}}

    def _feed(self, piece: Json) -> Json | None:
        kind = _kind(piece)
        said = piece[kind] if kind else {}
        name, text = _word(said.get("name")), arguments_text(said.get(_KINDS[kind or "function"]))
        call = self._call(piece, name)
        call.kind = kind or call.kind
        call.id = call.id or _word(piece.get("id"))
        call.more |= {n: value for n, value in piece.items() if n not in _OWN}
        name = "" if call.index is not None and call.arguments else _rest(call.name, name)
        call.name += name
        if (not call.arguments and text.strip() in _NOTHING) or (text and text == call.arguments):
            text = ""  # nothing yet, or all of it again
        call.arguments += text
        if call.index is None:
            return self._opened(call)
        body = {n: value for n, value in (("name", name), (_KINDS[call.kind], text)) if value}
        more, call.more = call.more, {}
        return {"index": call.index, **more, call.kind: body} if body or more else None

    def _opened(self, call: _Call) -> Json | None:
        """The first piece of a call, once its name is known."""
        if not call.name:
            return None
        call.index = sum(one.index is not None for one in self._calls)
        call.id = call.id or _new_id()
        body = {"name": call.name, _KINDS[call.kind]: call.arguments}
        more, call.more = call.more, {}
        return {"index": call.index, "id": call.id, "type": call.kind, **more, call.kind: body}

    def _call(self, piece: Json, name: str) -> _Call:
        """Whose piece it is. The index says it, where there is one; else the id, else the last."""
        index, identity = _number(piece.get("index")), _word(piece.get("id"))
        known: _Call | None
        if index is not None:
            known = self._at.get(index)
        else:
            same = [call for call in self._calls if identity and call.id == identity]
            known = next(reversed(same or self._calls), None)
            if known and not same and identity and known.id and not name:
                known = None  # without an index, another id is another call
        if known is None or _is_another(known, identity, name):
            known = _Call()
            self._calls.append(known)
        if index is not None:
            self._at[index] = known
        return known


def _is_another(known: _Call, identity: str, name: str) -> bool:
    """Whether a name begins the next call under the index of one that has a name already."""
    if not name or not known.name or (identity and identity == known.id):
        return False
    if identity and known.id:
        return known.is_whole or not known.arguments
    return known.is_whole


def _objects(told: Any) -> list[Json]:
    told = [told] if isinstance(told, dict) else told
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def _kind(call: Json) -> str | None:
    return next((kind for kind in _KINDS if isinstance(call.get(kind), dict)), None)


def _new_id() -> str:
    return f"call_{random_id(24)}"


def _rest(known: str, name: str) -> str:
    """What a name adds: some providers repeat it, or what has come of it so far."""
    return name[len(known) :] if name.startswith(known) else name


def _word(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list | bool) else str(value)


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return int(value) if isinstance(value, int | float) and value == value // 1 else None
