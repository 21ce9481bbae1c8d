"""Tool calls of a stream as providers cut them, in the pieces that OpenAI sends. Pure.

SDKs add up strings by index. So each call needs an index of its own, its id and name once and in
its first piece, and arguments that are a text. Providers send names late or in pieces, ids that
change or are repeated, arguments as objects, or one index for all.
https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, cast

from losi.ids import random_id
from losi.upstream.openai.shapes import ReceivedCall, objects, received_function

if TYPE_CHECKING:
    from losi.wire.chat import Call, CallPiece, FunctionCall, Kind

#: Arguments that say nothing: some providers begin with them, and send the real ones after that.
_NOTHING = ("", "{}", "null")
_KINDS: dict[Kind, Literal["arguments", "input"]] = {"function": "arguments", "custom": "input"}
_OWN = {"id", "index", "type", *_KINDS}


def arguments_text(value: object) -> str:
    """Arguments as OpenAI types them: a JSON text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def whole_calls(received: object) -> list[Call]:
    """The calls of a plain answer."""
    return [_whole_call(call, kind) for call in _objects(received) if (kind := _kind(call))]


def _whole_call(call: ReceivedCall, kind: Kind) -> Call:
    function, field = received_function(call[kind]) or {}, _KINDS[kind]
    body = cast("FunctionCall", function)
    body["name"] = _word(function.get("name"))
    body[field] = arguments_text(function.get(field)) or "{}" * (kind == "function")
    whole: Call = {"id": _word(call.get("id")) or _new_id(), "type": kind}
    whole.update(_more(call, _OWN - {"index"}))
    whole[kind] = body
    return whole


class _Call:
    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.kind: Kind = "function"
        self.arguments = ""
        #: Fields that OpenAI does not have, such as the signature of Gemini's thoughts.
        self.more: CallPiece = {}
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
        self._at: dict[int, _Call] = {}  # the provider's index -> the call it means now
        self._latest: _Call | None = None  # whose arguments were all of the last pieces

    @property
    def begun(self) -> bool:
        """Whether any call was passed on."""
        return any(call.index is not None for call in self._calls)

    def feed(self, pieces: object) -> list[CallPiece]:
        """The pieces to pass on for a delta's `tool_calls`."""
        received = _objects(pieces)
        function = [one for piece in received if (one := self._feed(piece))]
        if len(received) != 1:
            self._latest = None
        return function

    def more_arguments(self, texts: list[str]) -> int:
        """More pieces came like the last one, but for their arguments: how many are taken."""
        call = self._latest
        if call is None:
            return 0
        # one that is not shorter than all before it may be all of it again
        lengths = accumulate(map(len, texts), initial=len(call.arguments))
        pairs = enumerate(zip(texts, lengths, strict=False))
        taken = next((at for at, (text, whole) in pairs if len(text) >= whole), len(texts))
        call.arguments += "".join(texts[:taken])
        return taken

    def finish(self) -> list[CallPiece]:
        """What is still to be said at the end: arguments of calls that have none are `{}`."""
        return list(self._last_pieces())

    def _last_pieces(self) -> Iterator[CallPiece]:
        for call in self._calls:
            if call.index is not None and call.kind == "function" and not call.arguments:
                yield {"index": call.index, "function": {"arguments": "{}"}}

    def _feed(self, piece: ReceivedCall) -> CallPiece | None:
        kind = _kind(piece)
        function = (kind and received_function(piece[kind])) or {}
        name, text = (
            _word(function.get("name")),
            arguments_text(function.get(_KINDS[kind or "function"])),
        )
        call = self._call(piece, name)
        self._latest = None if name else call  # a name may begin another call
        call.kind = kind or call.kind
        call.id = call.id or _word(piece.get("id"))
        call.more.update(_more(piece, _OWN))
        name = "" if call.index is not None and call.arguments else _rest(call.name, name)
        call.name += name
        if (not call.arguments and text.strip() in _NOTHING) or (text and text == call.arguments):
            text = ""  # nothing yet, or all of it again
        call.arguments += text
        if call.index is None:
            return self._opened(call)
        if not (name or text or call.more):
            return None
        body: FunctionCall = {}
        if name:
            body["name"] = name
        if text:
            body[_KINDS[call.kind]] = text
        return self._with_more(call, {"index": call.index}, body)

    def _with_more(self, call: _Call, piece: CallPiece, body: FunctionCall) -> CallPiece:
        """With what is to be told of the call beside it."""
        more, call.more = call.more, {}
        piece.update(more)
        piece[call.kind] = body
        return piece

    def _opened(self, call: _Call) -> CallPiece | None:
        """The first piece of a call, once its name is known."""
        if not call.name:
            return None
        call.index = sum(one.index is not None for one in self._calls)
        call.id = call.id or _new_id()
        body: FunctionCall = {"name": call.name}
        body[_KINDS[call.kind]] = call.arguments
        return self._with_more(call, {"index": call.index, "id": call.id, "type": call.kind}, body)

    def _call(self, piece: ReceivedCall, name: str) -> _Call:
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


def _more(call: ReceivedCall, own: set[str]) -> CallPiece:
    return cast("CallPiece", {name: value for name, value in call.items() if name not in own})


def _objects(received: object) -> list[ReceivedCall]:
    return cast(list[ReceivedCall], objects([received] if isinstance(received, dict) else received))


def _kind(call: ReceivedCall) -> Kind | None:
    return next((kind for kind in _KINDS if isinstance(call.get(kind), dict)), None)


def _new_id() -> str:
    return f"call_{random_id(24)}"


def _rest(known: str, name: str) -> str:
    """What a name adds: some providers repeat it, or what has come of it so far."""
    return name[len(known) :] if name.startswith(known) else name


def _word(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list | bool) else str(value)


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return int(value) if isinstance(value, int | float) and value == value // 1 else None
