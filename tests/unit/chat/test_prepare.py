"""What a route is sent: defaults, refused parameters, the model's own prompt."""

from typing import Any

import pytest

from losi.catalogue.models import Model, Route
from losi.chat.prepare import nearest_effort, prepare, with_system_prompt
from losi.chat.request import parse_chat_request
from losi.errors import InvalidRequestError
from tests.catalogue import CATALOGUE, PROVIDERS
from tests.loose import Json, loose

USER = {"role": "user", "content": "Hi"}


def model(name: str) -> Model:
    return CATALOGUE.models[name]


def body_for(name: str, route: int = 0, **fields: Any) -> Json:
    request = parse_chat_request({"model": name, "messages": [USER], **fields})
    return loose(prepare(request, model(name), model(name).routes[route]).body)


def test_the_documented_default_temperature_is_sent() -> None:
    assert body_for("gpt-4o")["temperature"] == 0.7


def test_a_caller_who_chose_top_p_gets_no_temperature_beside_it() -> None:
    assert "temperature" not in body_for("gpt-4o", top_p=0.5)


def test_the_callers_temperature_wins_even_at_zero() -> None:
    assert body_for("gpt-4o", temperature=0)["temperature"] == 0


def test_a_null_parameter_is_as_good_as_none() -> None:
    body = body_for("gpt-4o", temperature=None, stop=None)

    assert body["temperature"] == 0.7
    assert "stop" not in body


LIMITS: list[tuple[str, Json, int, int | None]] = [
    # whose own maximum is the model's, and its format needs no limit: none is sent
    ("openai", {"max_output_tokens": 16_384}, 0, None),
    ("openai", {"max_output_tokens": 8_192}, 127_000, None),
    ("openai-responses", {"max_output_tokens": 16_384}, 0, None),
    # who might answer more than the ledger's bound reckons with
    ("openai", {}, 0, 16_384),
    ("openai", {"max_output_tokens": 16_385}, 0, 16_384),
    ("openai-responses", {}, 0, 16_384),
    # whose format needs one: never more than there is room for
    ("anthropic", {}, 0, 16_384),
    ("anthropic", {"max_output_tokens": 8_192}, 0, 8_192),
    ("anthropic", {}, 120_000, 8_000),
    ("bedrock", {}, 120_000, 8_000),
    ("openai", {}, 120_000, 8_000),
    ("anthropic", {}, 127_500, 1_024),
    ("anthropic", {}, 200_000, 1_024),
]


@pytest.mark.parametrize(("provider", "route", "prompt", "expected"), LIMITS)
def test_a_limit_that_nobody_asked_for_never_refuses_a_prompt(
    provider: str, route: Json, prompt: int, expected: int | None
) -> None:
    """https://community.openai.com/t/1094041: prompt and limit together must fit the window."""
    request = parse_chat_request({"model": "gpt-4o", "messages": [USER]})
    upstream = Route(provider=PROVIDERS[provider], model="upstream", **route)

    body = prepare(request, model("gpt-4o"), upstream, prompt).body

    assert body.get("max_tokens") == expected
    assert "max_completion_tokens" not in body


@pytest.mark.parametrize("provider", ["openai", "openai-responses", "anthropic", "bedrock"])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_callers_limit_is_always_sent(provider: str, name: str) -> None:
    request = parse_chat_request({"model": "gpt-4o", "messages": [USER], name: 100})
    upstream = Route(provider=PROVIDERS[provider], model="upstream", max_output_tokens=16_384)

    assert loose(prepare(request, model("gpt-4o"), upstream, 127_990).body)[name] == 100


@pytest.mark.parametrize(
    ("provider", "given", "expected"),
    [
        ("openai", {"include_obfuscation": False}, {"include_obfuscation": False}),
        (
            "openai",
            {"include_usage": True, "include_obfuscation": True},
            {"include_obfuscation": True},
        ),
        ("openai", {"include_usage": False}, None),
        ("openai", {"include_usage": True, "other": 1}, {"other": 1}),
        ("anthropic", {"include_obfuscation": False}, None),
        ("mistral", {"include_obfuscation": False}, None),
    ],
)
def test_stream_options_are_the_callers_beside_ours(
    provider: str, given: Json, expected: Json | None
) -> None:
    fields = {"stream": True, "stream_options": given}
    request = parse_chat_request({"model": "gpt-4o", "messages": [USER], **fields})
    upstream = Route(provider=PROVIDERS[provider], model="upstream")

    prepared = prepare(request, model("gpt-4o"), upstream)

    assert prepared.body.get("stream_options") == expected
    assert "stream_options" not in prepared.dropped


def test_the_callers_output_limit_is_sent_by_the_name_that_it_gave() -> None:
    assert body_for("gpt-3.5-turbo", max_tokens=5)["max_tokens"] == 5
    asked = body_for("gpt-3.5-turbo", max_completion_tokens=6)
    assert asked["max_completion_tokens"] == 6 and "max_tokens" not in asked


@pytest.mark.parametrize("param", ["max_tokens", "max_completion_tokens"])
def test_more_than_the_model_can_give_is_refused(param: str) -> None:
    assert body_for("gpt-3.5-turbo", **{param: 4_096})[param] == 4_096

    with pytest.raises(InvalidRequestError, match="at most 4096") as caught:
        body_for("gpt-3.5-turbo", **{param: 4_097})

    assert (caught.value.param, caught.value.code) == (param, "invalid_value")


def test_unknown_parameters_pass_through() -> None:
    assert body_for("gpt-4o", web_search_options={"a": 1})["web_search_options"] == {"a": 1}


def test_the_upstreams_name_replaces_the_alias_and_streaming_is_the_providers_matter() -> None:
    body = body_for("claude-3.5-sonnet", stream=True, stream_options={"include_usage": True})

    assert body["model"] == model("claude-3.5-sonnet").routes[0].model
    assert "stream" not in body and "stream_options" not in body


def test_parameters_the_upstream_refuses_are_dropped_and_named() -> None:
    request = parse_chat_request(
        {"model": "losi-omega", "messages": [USER], "temperature": 1, "top_p": 0.5}
    )

    prepared = prepare(request, model("losi-omega"), model("losi-omega").routes[0])

    assert {"temperature", "top_p"} <= set(prepared.dropped)
    assert "temperature" not in prepared.body


def test_a_default_that_the_upstream_refuses_is_not_sent_and_not_reported() -> None:
    request = parse_chat_request({"model": "losi-omega", "messages": [USER]})

    prepared = prepare(request, model("losi-omega"), model("losi-omega").routes[0])

    assert prepared.dropped == ()
    assert prepared.body["reasoning_effort"] == "medium"


def test_losi_omega_has_its_prompt_without_the_caller_saying_anything() -> None:
    messages = body_for("losi-omega")["messages"]

    assert messages[0]["role"] == "system" and "Losi Omega" in messages[0]["content"]
    assert messages[1] == USER


def test_losi_omegas_prompt_comes_behind_the_callers_own() -> None:
    own = {"role": "system", "content": "Answer in French."}
    messages = body_for("losi-omega", messages=[own, USER])["messages"]

    assert len(messages) == 2
    assert messages[0]["content"].startswith("Answer in French.\n\nYou are Losi Omega")


@pytest.mark.parametrize("role", ["system", "developer"])
def test_the_prompt_extends_the_last_leading_instruction_in_its_own_form(role: str) -> None:
    parts = [{"type": "text", "text": "B"}]
    messages: list[Json] = [
        {"role": "system", "content": "A"},
        {"role": role, "content": parts},
        USER,
    ]

    extended = with_system_prompt(messages, "P")

    assert extended[0]["content"] == "A"
    assert extended[1]["content"] == [*parts, {"type": "text", "text": "P"}]
    assert parts == [{"type": "text", "text": "B"}]  # the caller's body is not touched


#: Takes every effort, `none` among them; and one that cannot be kept from thinking.
MAY_THINK = Route(
    provider=PROVIDERS["anthropic"],
    model="may-think",
    default_parameters={"reasoning_effort": "medium"},
)
ALWAYS_THINKS = MAY_THINK.model_copy(
    update={"provider": PROVIDERS["openai-responses"], "efforts": ("low", "medium", "high")}
)
#: The route, the caller's fields, and the effort and output limit that are sent.
SMALL_LIMITS: list[tuple[Route, Json, str, int]] = [
    (MAY_THINK, {"max_tokens": 4_096}, "medium", 4_096),
    (MAY_THINK, {"max_tokens": 4_095}, "low", 4_095),
    (MAY_THINK, {"max_tokens": 1_024}, "low", 1_024),
    (MAY_THINK, {"max_tokens": 1_023}, "none", 1_023),
    (MAY_THINK, {"max_tokens": 1}, "none", 1),
    # what the caller chose is theirs
    (MAY_THINK, {"max_tokens": 50, "reasoning_effort": "high"}, "high", 50),
    (ALWAYS_THINKS, {"max_tokens": 50, "reasoning_effort": "low"}, "low", 50),
    (ALWAYS_THINKS, {"max_tokens": 50, "thinking": {"type": "enabled"}}, "medium", 50),
    # thinking that nobody asked for, and nobody can switch off, has room of its own
    (ALWAYS_THINKS, {"max_tokens": 1_024}, "low", 1_024),
    (ALWAYS_THINKS, {"max_tokens": 1_023}, "low", 2_047),
    (ALWAYS_THINKS, {"max_tokens": 1}, "low", 1_025),
    (ALWAYS_THINKS, {"max_tokens": 50, "reasoning_effort": "none"}, "low", 1_074),
]


@pytest.mark.parametrize(("route", "fields", "effort", "limit"), SMALL_LIMITS)
def test_thinking_does_not_eat_the_answer(
    route: Route, fields: Json, effort: str, limit: int
) -> None:
    request = parse_chat_request({"model": "gpt-4o", "messages": [USER], **fields})

    prepared = prepare(request, model("gpt-4o"), route)

    assert prepared.body["reasoning_effort"] == effort
    assert prepared.body["max_tokens"] == limit
    has_room = limit > fields["max_tokens"]
    assert prepared.most_text == (fields["max_tokens"] if has_room else None)


@pytest.mark.parametrize(
    ("effort", "efforts", "nearest"),
    [
        ("none", ("low", "high"), "low"),
        ("low", ("low", "high"), "low"),
        ("medium", ("low", "high"), "low"),  # of two equally near the lesser
        ("medium", ("high", "low"), "low"),
        ("medium", ("minimal", "high"), "high"),
        ("max", ("none", "low"), "low"),
        ("xhigh", ("none", "medium", "max"), "max"),
    ],
)
def test_an_effort_that_a_route_lacks_becomes_the_nearest(
    effort: str, efforts: tuple[str, ...], nearest: str
) -> None:
    assert nearest_effort(effort, efforts) == nearest


def test_an_effort_that_nobody_has_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="none, minimal, low, medium, high") as caught:
        nearest_effort("utmost", ("low",))

    assert (caught.value.param, caught.value.code) == ("reasoning_effort", "invalid_value")


@pytest.mark.parametrize(
    ("asked", "sent", "mapped"),
    [
        ({"reasoning_effort": "low"}, "low", set()),
        ({"reasoning_effort": "none"}, "low", {"reasoning_effort"}),
        ({"reasoning_effort": "max"}, "high", {"reasoning_effort"}),
    ],
)
def test_what_became_of_the_effort_is_reported(asked: Json, sent: str, mapped: set[str]) -> None:
    request = parse_chat_request({"model": "gpt-4o", "messages": [USER], **asked})

    prepared = prepare(request, model("gpt-4o"), ALWAYS_THINKS)

    assert prepared.body["reasoning_effort"] == sent
    assert prepared.mapped == mapped


@pytest.mark.parametrize(
    ("fields", "left_out"),
    [
        ({"tools": [], "tool_choice": "none", "parallel_tool_calls": True}, True),
        ({"tool_choice": "none", "parallel_tool_calls": True}, True),
        ({"functions": [], "function_call": "none"}, True),
        ({"function_call": "none"}, True),
        (
            {"tools": [{"type": "custom"}], "tool_choice": "none", "parallel_tool_calls": True},
            False,
        ),
        ({"functions": [{"name": "f"}], "function_call": "none"}, False),
    ],
)
def test_a_choice_among_no_tools_is_not_sent(fields: Json, left_out: bool) -> None:
    body = body_for("gpt-4o", **fields)

    assert {name for name in fields if name not in body} == (set(fields) if left_out else set())


def test_dropped_names_fit_into_a_header() -> None:
    odd = ["with space", "ümlaut", "a-b", "x" * 65, ""]
    fine = ["x" * 64, *(f"p{n:02}" for n in range(40))]
    refused = frozenset([*odd, *fine])
    route = MAY_THINK.model_copy(update={"unsupported_parameters": refused})
    fields = dict.fromkeys(refused, 1)
    request = parse_chat_request({"model": "gpt-4o", "messages": [USER], **fields})

    prepared = prepare(request, model("gpt-4o"), route)

    assert prepared.dropped == tuple(sorted(fine)[:32])
    assert not refused & prepared.body.keys()


@pytest.mark.parametrize("name", ["stop", "functions", "function_call"])
def test_what_we_honour_ourselves_is_not_dropped(name: str) -> None:
    route = MAY_THINK.model_copy(update={"unsupported_parameters": frozenset({name})})
    fields: Json = {"stop": ["x"], "functions": [{"name": "f"}], "function_call": "auto"}
    request = parse_chat_request({"model": "gpt-4o", "messages": [USER], **fields})

    prepared = prepare(request, model("gpt-4o"), route)

    assert loose(prepared.body)[name] == fields[name]
    assert prepared.dropped == ()


@pytest.mark.parametrize(
    ("messages", "extended"),
    [
        ([USER], [{"role": "system", "content": "P"}, USER]),
        (
            [USER, {"role": "system", "content": "later"}],
            [{"role": "system", "content": "P"}, USER, {"role": "system", "content": "later"}],
        ),
        ([{"role": "system", "content": "A"}], [{"role": "system", "content": "A\n\nP"}]),
        (
            [{"role": "developer", "content": "A", "name": "n"}, USER, USER],
            [{"role": "developer", "content": "A\n\nP", "name": "n"}, USER, USER],
        ),
        (
            [{"role": "system", "content": None}, USER],
            [{"role": "system", "content": [{"type": "text", "text": "P"}]}, USER],
        ),
    ],
)
def test_where_the_model_s_own_prompt_goes(messages: list[Any], extended: list[Any]) -> None:
    assert with_system_prompt(messages, "P") == extended
