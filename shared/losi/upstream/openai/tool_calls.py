"""Repairs the tool calls of a stream to the pieces that OpenAI would send. Pure.

SDKs concatenate strings by index. So each call needs its own index, its id and name once, in its
first piece, and its arguments as text. Providers send names late or in pieces, ids that change or
repeat, arguments as objects, or the same index for all calls.
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

#: Empty arguments: some providers send them first, and the real ones afterwards.
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
        #: Fields that OpenAI does not have, such as Gemini's thought signature.
        self.more: CallPiece = {}
        #: The index we send; None until the name is known, because the first piece needs it.
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
        self._at: dict[int, _Call] = {}  # the provider's index -> its current call
        #: The call of the last delta, if that had one piece with arguments only.
        self._latest: _Call | None = None

    @property
    def begun(self) -> bool:
        """Whether a piece of any call was returned."""
        return any(call.index is not None for call in self._calls)

    def feed(self, pieces: object) -> list[CallPiece]:
        """Return the pieces to send for a delta's `tool_calls`."""
        received = _objects(pieces)
        function = [one for piece in received if (one := self._feed(piece))]
        if len(received) != 1:
            self._latest = None
        return function

    def more_arguments(self, texts: list[str]) -> int:
        """Add the arguments of pieces that otherwise equal the last one. Return how many of them
        were accepted; the rest must go through `feed`.
        """
        call = self._latest
        if call is None:
            return 0
        # a text at least as long as all arguments so far may be a repetition of them
        lengths = accumulate(map(len, texts), initial=len(call.arguments))
        pairs = enumerate(zip(texts, lengths, strict=False))
        taken = next((at for at, (text, whole) in pairs if len(text) >= whole), len(texts))
        call.arguments += "".join(texts[:taken])
        return taken

    def finish(self) -> list[CallPiece]:
        """Return the pieces that end the stream: `{}` for each function without arguments."""
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
        if (not call.arguments and text.strip() in _NOTHING) or text == call.arguments:
            text = ""  # empty so far, or a repetition
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
        """Complete a piece: the function, and the call's fields that were not sent yet."""
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
        """Return the call that a piece belongs to: by index, else by id, else the last call."""
        index, identity = _number(piece.get("index")), _word(piece.get("id"))
        known: _Call | None
        if index is not None:
            known = self._at.get(index)
        else:
            same = [call for call in self._calls if identity and call.id == identity]
            known = next(reversed(same or self._calls), None)
            if known and not same and identity and known.id and not name:
                known = None  # without an index, a new id begins a new call
        if known is None or _is_another(known, identity, name):
            known = _Call()
            self._calls.append(known)
        if index is not None:
            self._at[index] = known
        return known


def _is_another(known: _Call, identity: str, name: str) -> bool:
    """Whether a piece with a name begins a new call, although a known call has its index."""
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
    """The new part of a name: some providers repeat the name, or all of it so far."""
    return name[len(known) :] if name.startswith(known) else name


def _word(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list | bool) else str(value)


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return int(value) if isinstance(value, int | float) and value == value // 1 else None
