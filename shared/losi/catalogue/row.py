"""Shared by the rows of all three files: strict validation, and the types of fields.

A field's description completes the sentence "it must be ..." in the refusal of a wrong value.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# Strict, because pydantic would otherwise read "10" and true as numbers.
Text = Annotated[str, Field(min_length=1, description="a text in quotes")]
Flag = Annotated[bool, Field(strict=True, description="true or false, without quotes")]
Count = Annotated[
    int, Field(strict=True, gt=0, description="a whole number above 0, without quotes")
]
Dollars = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
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
Parameters = Annotated[
    Mapping[str, Any], Field(description="a table, such as { temperature = 0.7 }")
]
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
