"""Shared by the rows of all three files: strict validation, and the types of fields.

A field's description completes the sentence "it must be ..." in the refusal of a wrong value.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

#: No count is higher: larger ones would be beyond DynamoDB's numbers, and JSON's.
MOST = 1_000_000_000_000


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# Strict, because pydantic would otherwise read "10" and true as numbers.
Text = Annotated[str, Field(min_length=1, description="a text in quotes")]
Flag = Annotated[bool, Field(strict=True, description="true or false, without quotes")]
Count = Annotated[
    int, Field(strict=True, gt=0, le=MOST, description="a whole number above 0, without quotes")
]
Dollars = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="US dollars per million tokens: a number of 0 or more, without quotes",
    ),
]
Seconds = Annotated[
    float,
    Field(
        strict=True,
        gt=0,
        allow_inf_nan=False,
        description="seconds: a number above 0, without quotes",
    ),
]
Names = Annotated[frozenset[str], Field(description='a list of texts, such as ["seed", "user"]')]
Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_-]{0,31}$",
        description="at most 32 small letters, digits, - and _, the first a letter",
    ),
]
Url = Annotated[
    str, Field(pattern=r"^https?://\S+$", description="a URL that starts with https:// or http://")
]
Variable = Annotated[
    str,
    Field(
        pattern=r"^[A-Z][A-Z0-9_]*$",
        description="the name of a variable, such as LOSI_ACME_API_KEY, never its value",
    ),
]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}. Correct it.") from None
    return pattern


Regex = Annotated[Text, AfterValidator(_compiles)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Efforts = Annotated[
    tuple[Effort, ...],
    Field(min_length=1, description='a list of efforts, such as ["low", "medium", "high"]'),
]
Feature = Literal["vision", "tools", "structured_output", "reasoning"]
Features = Annotated[
    frozenset[Feature],
    Field(description='a list of "vision", "tools", "structured_output" and "reasoning"'),
]
_NUMBERS = ("frequency_penalty", "presence_penalty", "temperature", "top_k", "top_p")
#: What the ledger holds, and the catalogue sets itself: a default would go past both.
_NO_DEFAULTS = ("max_completion_tokens", "max_tokens", "messages", "model", "n", "stream")


def _usable(defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    for name, value in defaults.items():
        if name in _NO_DEFAULTS:
            raise ValueError(f"sets '{name}', which only callers may set. Remove it.")
        if name in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"sets '{name}' to {value!r}. It must be a number, without quotes.")
        if name == "reasoning_effort" and value not in get_args(Effort):
            raise ValueError(f"sets '{name}' to {value!r}. {instead(str(value), get_args(Effort))}")
    return defaults


Parameters = Annotated[
    Mapping[str, Any],
    AfterValidator(_usable),
    Field(description="a table, such as { temperature = 0.7 }"),
]
#: Features a request may ask for, and an upstream refuse, although it accepts each parameter by
#: itself.
Combination = Literal[
    "forced_tools", "tools_with_reasoning", "schema_with_tools", "schema_in_streams", "files"
]
Combinations = Annotated[
    frozenset[Combination],
    Field(description=f"a list of {', '.join(get_args(Combination))}, each in quotes"),
]


def instead(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the most similar known one, or all of them."""
    from difflib import get_close_matches

    known = list(known)
    if close := get_close_matches(name, known, 1):
        return f"Did you mean '{close[0]}'?"
    return f"Known are: {', '.join(known)}."
