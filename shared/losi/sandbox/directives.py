"""What a caller may ask of the sandbox: `[[sandbox:name=value]]` in the last user message.

docs/sandbox.md explains each; the table at the end of this module is the single list of them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from losi.errors import InvalidRequestError
from losi.sandbox.errors import ERRORS

MAX_TOKENS = 100_000
MAX_DELAY = 60.0
MAX_CALLS = 16
#: Characters of a message that an answer repeats.
QUOTED = 200
_MAX_CHUNKS = 1_000_000
_FINISH_REASONS = ("stop", "length", "content_filter")
_DIRECTIVE = re.compile(r"\[\[sandbox:(.*?)\]\]", re.DOTALL)
_OPENING = "[[sandbox:"
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Directives:
    """All directives of a request; the defaults are the behaviour without any."""

    delay: float = 0.0
    first_chunk_delay: float = 0.0
    tokens: int | None = None
    say: str | None = None
    empty: bool = False
    refusal: bool = False
    finish: str | None = None
    call: str | None = None
    arguments: str | None = None
    parallel: int = 1
    error: str | None = None
    error_after: int | None = None
    retry_after: float = 1.0
    break_after: int | None = None
    no_usage: bool = False
    usage: tuple[int, int] | None = None

    @property
    def wants_text(self) -> bool:
        """Whether the answer is to be text even where a tool might be called."""
        return self.say is not None or self.tokens is not None


def read(text: str) -> Directives:
    """The directives in a message. Raises InvalidRequestError for one that is not understood."""
    directives = Directives()
    for rest in text.split(_OPENING)[1:]:
        directive, closing, _ = rest.partition("]]")
        if not closing:
            raise _refused("A sandbox directive is not closed with ']]'.")
        name, equals, value = directive.partition("=")
        directives = replace(directives, **{name: _value(name, value if equals else None)})
    return directives


def without(text: str) -> str:
    """The message as it reads without its directives, which `read` has found closed."""
    return collapsed(_DIRECTIVE.sub(" ", text))


def collapsed(text: str) -> str:
    """Its words with one blank between them, as far as an answer may quote them and a bit more."""
    words, size = [], 0
    for word in _WORD.finditer(text):
        words.append(word[0])
        size += len(word[0]) + 1
        if size > QUOTED + 1:
            break
    return " ".join(words)


def _value(name: str, value: str | None) -> Any:
    if name not in DIRECTIVES:
        raise _refused(f"There is no sandbox directive '{name[:40]}'.")
    reader, form = DIRECTIVES[name]
    try:
        return reader(value)
    except ValueError:
        raise _refused(f"Write this sandbox directive as [[sandbox:{name}{form}]].") from None


def _refused(what: str) -> InvalidRequestError:
    forms = ", ".join(name + form for name, (_, form) in DIRECTIVES.items())
    return InvalidRequestError(
        f"{what} The directives are: {forms}.", param="messages", code="invalid_sandbox_directive"
    )


def _flag(value: str | None) -> bool:
    if value is not None:
        raise ValueError
    return True


def _text(value: str | None) -> str:
    if value is None:
        raise ValueError
    return value


def _one_of(options: tuple[str, ...]) -> Callable[[str | None], str]:
    def reader(value: str | None) -> str:
        if value not in options:
            raise ValueError
        return value

    return reader


def _whole(low: int, high: int) -> Callable[[str | None], int]:
    def reader(value: str | None) -> int:
        number = _number(value)
        if not low <= number <= high:
            raise ValueError
        return number

    return reader


def _number(value: str | None) -> int:
    text = _text(value)
    if not re.fullmatch(r"-?[0-9]{1,15}", text):
        raise ValueError
    return int(text)


def _seconds(value: str | None) -> float:
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s)", _text(value))
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else MAX_DELAY + 1
    if seconds > MAX_DELAY:
        raise ValueError
    return seconds


def _two_counts(value: str | None) -> tuple[int, int]:
    inputs, _, outputs = _text(value).partition(":")
    return _number(inputs), _number(outputs)


#: name -> how its value is read, and how it is written, as error messages show it
DIRECTIVES: dict[str, tuple[Callable[[str | None], Any], str]] = {
    "delay": (_seconds, "=<0ms to 60s>"),
    "first_chunk_delay": (_seconds, "=<0ms to 60s>"),
    "tokens": (_whole(1, MAX_TOKENS), f"=<1 to {MAX_TOKENS}>"),
    "say": (_text, "=<text>"),
    "empty": (_flag, ""),
    "refusal": (_flag, ""),
    "finish": (_one_of(_FINISH_REASONS), f"=<{'|'.join(_FINISH_REASONS)}>"),
    "call": (_text, "=<tool name>"),
    "arguments": (_text, "=<JSON>"),
    "parallel": (_whole(1, MAX_CALLS), f"=<1 to {MAX_CALLS}>"),
    "error": (_one_of(tuple(ERRORS)), f"=<{'|'.join(ERRORS)}>"),
    "error_after": (_whole(0, _MAX_CHUNKS), "=<chunks>"),
    "retry_after": (_seconds, "=<0ms to 60s>"),
    "break_after": (_whole(0, _MAX_CHUNKS), "=<chunks>"),
    "no_usage": (_flag, ""),
    "usage": (_two_counts, "=<input tokens>:<output tokens>"),
}
