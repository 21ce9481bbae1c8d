"""Every mistake in an entry is refused with its file, its entry, its field and what to do."""

from collections.abc import Callable

import pytest

from losi.catalogue.models import Route
from tests.operator_files import MODEL, PLAN, PROVIDER


@pytest.mark.parametrize(
    ("right", "wrong", "field", "remedy"),
    [
        ("= 1000", '= "ten"', "context_window", "must be a whole number above 0, without quotes"),
        ("= 1000", "= true", "context_window", "must be a whole number above 0, without quotes"),
        ("= 1000", "= 0", "context_window", "must be a whole number above 0"),
        ("= 1000", "= 1.5", "context_window", "must be a whole number above 0"),
        ("created = 1\n", 'created = "today"\n', "created", "must be a time as a whole number"),
        ("input = 1.0", 'input = "1.0"', "prices.input", "a number of 0 or more, without quotes"),
        ("input = 1.0", "input = -1.0", "prices.input", "a number of 0 or more, without quotes"),
        ("input = 1.0", "input = nan", "prices.input", "a number of 0 or more, without quotes"),
        ("input = 1.0, ", "", "prices.input", "is missing. Add it: it must be US dollars"),
        (", output = 2.0", "", "prices.output", "is missing. Add it: US dollars"),
        ("prices = { input = 1.0, output = 2.0 }\n", "", "prices", "is missing. Add it"),
        ("prices = { input = 1.0, output = 2.0 }\n", "prices = 2\n", "prices", "must be a table"),
        ("max_output_tokens = 100\n", "", "max_output_tokens", "is missing. Add it"),
        ("{ input", "{ inptu", "prices.inptu", "is not a known field. Did you mean 'input'?"),
        ("owned_by", "owner", "owner", "is not a known field. Did you mean 'owned_by'?"),
        ("owned_by", "zzz", "zzz", "is not a known field. Known are: id, kind, code"),
        ("model = ", "modell = ", "routes.0.modell", "Did you mean 'model'?"),
        (
            '["tools"]',
            '["visoin"]',
            "features",
            "names the unknown 'visoin'. Did you mean 'vision'?",
        ),
        ('["tools"]', '"tools"', "features", 'must be a list of "vision", "tools"'),
        ('["free"]', '["fee"]', "plans", "names the unknown plan 'fee'. Did you mean 'free'?"),
        ('["free"]', "[1]", "plans", "must be a list of names of plans"),
        (
            '"sandbox"',
            '"opanai"',
            "routes.0.provider",
            "names the unknown provider 'opanai'. Did you mean 'openai'?",
        ),
        ('"sandbox"', "1", "routes.0.provider", "names the unknown provider 1. Known are: "),
        ('"losi-sandbox"', '""', "routes.0.model", "must be a text in quotes"),
        (' model = "losi-sandbox"', ' model = "m", n = 2', "routes.0.n", "is not a known field."),
        ('[{ provider = "sandbox", model = "losi-sandbox" }]', "[]", "routes", "must be a list"),
        ('"xm"', '"LONG"', "code", "must be one to three small letters or digits"),
        ('"xm"', '"4o"', "code", "'4o' is that of 'gpt-4o' (catalogue/models.toml) too."),
        ("code =", 'kind = "chta"\ncode =', "kind", 'must be "chat" or "embedding", and is'),
        ("code =", "shutdown_date = 2027\ncode =", "shutdown_date", "must be a date such as"),
        ("code =", 'system_prompt = ""\ncode =', "system_prompt", "must be a text in quotes"),
        ("code =", "default_parameters = 1\ncode =", "default_parameters", "must be a table"),
        (
            "code =",
            'default_parameters = { temperature = "hot" }\ncode =',
            "default_parameters",
            "sets 'temperature' to 'hot'. It must be a number, without quotes.",
        ),
        (
            "code =",
            "default_parameters = { top_p = true }\ncode =",
            "default_parameters",
            "sets 'top_p' to True. It must be a number, without quotes.",
        ),
        (
            "code =",
            'default_parameters = { reasoning_effort = "hihg" }\ncode =',
            "default_parameters",
            "sets 'reasoning_effort' to 'hihg'. Did you mean 'high'?",
        ),
        (
            "code =",
            "default_parameters = { n = 8 }\ncode =",
            "default_parameters",
            "sets 'n', which only callers may set. Remove it.",
        ),
        (
            "= 1000",
            f"= {10**32}",
            "context_window",
            "is too large: 100000000000000000000000000000000. The most is 1,000,000,000,000.",
        ),
        ("= 100\n", f"= {10**32}\n", "max_output_tokens", "is too large"),
        ("created = 1", f"created = {10**32}", "created", "is too large"),
        ("1.0", "1e300", "prices.input", "is too large: 1e+300. The most is 1,000,000"),
    ],
)
def test_a_mistake_in_a_model_is_refused(
    mistakes: Callable[..., list[str]], right: str, wrong: str, field: str, remedy: str
) -> None:
    assert right in MODEL

    found = mistakes(models=MODEL.replace(right, wrong))

    # a mistyped field is also a missing one
    [mistake] = [mistake for mistake in found if f": {field} " in mistake]
    assert mistake.startswith(f"config/models.toml: model 'mine': {field} ")
    assert remedy in mistake


@pytest.mark.parametrize(
    ("right", "wrong", "field", "remedy"),
    [
        ("= 10\n", '= "ten"\n', "requests_per_minute", "must be a whole number above 0"),
        ("= 10\n", f"= {10**40}\n", "requests_per_minute", "The most is 1,000,000,000,000."),
        ("= 10\n", "= -10\n", "requests_per_minute", "must be a whole number above 0"),
        ("in_flight", "in_fligth", "in_fligth", "Did you mean 'in_flight'?"),
        ("keys = 1", 'keys = 1\nname = "x"', "name", "is the table's name. Remove the field."),
        ("keys = 1\n", "", "keys", "is missing. Add it: it must be a whole number above 0"),
        ("[mine]", "[MINE]", "name", "must be at most 32 small letters"),
    ],
)
def test_a_mistake_in_a_plan_is_refused(
    mistakes: Callable[..., list[str]], right: str, wrong: str, field: str, remedy: str
) -> None:
    found = mistakes(plans=PLAN.replace(right, wrong))

    assert any(f": {field} " in mistake and remedy in mistake for mistake in found)
    assert all(m.lower().startswith("config/plans.toml: plan 'mine': ") for m in found)


@pytest.mark.parametrize(
    ("right", "wrong", "field", "remedy"),
    [
        ('"openai"', '"opanai"', "format", "must be one of openai, openai-responses"),
        ("base_url", "base_ulr", "base_ulr", "Did you mean 'base_url'?"),
        ("https://", "", "base_url", "must be a URL that starts with https://"),
        ('"LOSI_MINE_API_KEY"', '"sk-1"', "key_variable", "the name of a variable"),
        ('base_url = "https://llm.example/v1"\n', "", "base_url", "Add it, or base_url_variable."),
        ('key_variable = "LOSI_MINE_API_KEY"\n', "", "key_variable", "or key_optional = true."),
        ('"openai"', '"bedrock"', "region_variable", "the variable with its AWS region."),
        ("name =", 'native_n = "no"\nname =', "native_n", "must be true or false, without quotes"),
        ("name =", 'unsupported_parameters = "n"\nname =', "unsupported_parameters", "a list of"),
        ("name =", "unsupported_parameters = [1]\nname =", "unsupported_parameters", "holds 1."),
        (
            "name =",
            'refuses = ["fiels"]\nname =',
            "refuses",
            "names the unknown 'fiels'. Did you mean 'files'?",
        ),
        ("name =", 'max_temperature = "1"\nname =', "max_temperature", "a number from 0 to 2"),
        ("name =", 'tool_call_ids = "["\nname =', "tool_call_ids", "is no regular expression"),
        ("name =", 'id = "other"\nname =', "id", "is the table's name. Remove the field."),
    ],
)
def test_a_mistake_in_a_provider_is_refused(
    mistakes: Callable[..., list[str]], right: str, wrong: str, field: str, remedy: str
) -> None:
    found = mistakes(providers=PROVIDER.replace(right, wrong))

    assert any(f": {field} " in mistake and remedy in mistake for mistake in found)
    assert all(m.startswith("config/providers.toml: provider 'mine': ") for m in found)


def test_a_mistake_in_a_list_is_one_mistake(mistakes: Callable[..., list[str]]) -> None:
    """Not also one of the list."""
    assert mistakes(models=MODEL.replace("{ provider", "{ x = 1, provider")) == [
        "config/models.toml: model 'mine': routes.0.x is not a known field. Known are: "
        f"{', '.join(Route.model_fields)}."
    ]
