"""What a rule is: an entry of rules.toml and a predicate that yields the vendor's refusal."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Rule:
    id: str
    when: str
    sure: str
    date: str
    urls: tuple[str, ...]
    says: str = ""


@dataclass(frozen=True)
class Refusal:
    """`type` None: the format's usual one for the status."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400
    type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """What is so of the caller's account at the vendor, whatever the request."""

    key: str | None = None  # None: any key is taken
    credit: bool = True
    rate_limited: bool = False
    overloaded: bool = False
    verified: bool = True
    retention: bool = True
    tools: bool = True  # vLLM: started with the flags that tools need
    #: A status that the vendor answers with, and an error that ends each stream half-way.
    fails_with: int | None = None
    breaks_streams: bool = False
    #: The stop reason of each answer, where a test wants one that no request can bring about.
    stop_reason: str | None = None


@dataclass(frozen=True)
class Request:
    vendor: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: Json
    account: Account = field(default_factory=Account)

    @property
    def messages(self) -> list[Json]:
        messages = self.body.get("messages")
        return [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []

    @property
    def tools(self) -> list[Json]:
        tools = self.body.get("tools")
        return [t for t in tools if isinstance(t, dict)] if isinstance(tools, list) else []

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))


Predicate = Callable[[Request], Iterator[Refusal]]


class Rulebook:
    """The predicates of one format, asked in the order in which they were written down."""

    def __init__(self) -> None:
        self.predicates: dict[str, Predicate] = {}

    def refuses(self, rule_id: str) -> Callable[[Predicate], Predicate]:
        def enter(predicate: Predicate) -> Predicate:
            assert rule_id in RULES and rule_id not in self.predicates, rule_id
            self.predicates[rule_id] = predicate
            return predicate

        return enter

    def judge(self, request: Request) -> tuple[str, Refusal] | None:
        """The first rule that refuses the request, and what it answers."""
        for rule_id, predicate in self.predicates.items():
            if (refusal := next(predicate(request), None)) is not None:
                return rule_id, refusal
        return None


@cache
def models() -> dict[str, dict[str, Json]]:
    """models.toml: by vendor (openai, claude, family), by name."""
    return tomllib.loads((_HERE / "models.toml").read_text("utf-8"))


def load_rules() -> dict[str, Rule]:
    entries = tomllib.loads((_HERE / "rules.toml").read_text("utf-8"))
    return {
        rule_id: Rule(rule_id, **{**entry, "urls": tuple(entry["urls"])})
        for rule_id, entry in entries.items()
    }


RULES = load_rules()


def texts(content: Any) -> list[str]:
    """The texts of a message's content, in any of the formats."""
    if isinstance(content, str):
        return [content]
    blocks = content if isinstance(content, list) else []
    return [b["text"] for b in blocks if isinstance(b, dict) and isinstance(b.get("text"), str)]


def tokens(value: Any) -> int:
    """About as many tokens as the text in it has, images and documents aside."""
    if isinstance(value, str):
        return 1000 if value.startswith("data:") else (len(value) + 3) // 4
    if isinstance(value, dict):
        hidden = {"image", "document", "source", "image_url", "file"}
        return sum(1000 if name in hidden else tokens(v) for name, v in value.items())
    return sum(map(tokens, value)) if isinstance(value, list) else 0
