"""The loader: the operator's entries over the shipped ones, and a refusal for every mistake."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from losi.catalogue import loader
from losi.catalogue.loader import CatalogueError, _explained, load
from losi.catalogue.models import Model, Prices, Route
from losi.catalogue.plans import Plan
from losi.catalogue.providers import Provider
from losi.catalogue.row import Row
from tests.catalogue import CATALOGUE, FOLDER

MODEL = """
[[models]]
id = "mine"
code = "xm"
description = "A model"
owned_by = "me"
created = 1
features = ["tools"]
plans = ["free"]
context_window = 1000
max_output_tokens = 100
prices = { input = 1.0, output = 2.0 }
routes = [{ provider = "sandbox", model = "losi-sandbox" }]
"""
EMBEDDING = (
    MODEL.replace('id = "mine"', 'id = "mine"\nkind = "embedding"')
    .replace("max_output_tokens = 100\n", "")
    .replace(", output = 2.0", "")
    .replace('["tools"]', "[]")
)
PLAN = """
[mine]
keys = 1
requests_per_minute = 10
tokens_per_minute = 40_000
tokens_per_day = 100_000
in_flight = 2
hold_output_tokens = 1_024
"""
PROVIDER = """
[mine]
name = "Mine"
format = "openai"
base_url = "https://llm.example/v1"
key_variable = "LOSI_MINE_API_KEY"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    return folder


@pytest.fixture
def mistakes(config: Path) -> Callable[..., list[str]]:
    """What is wrong with files of these texts over the tests' catalogue."""

    def written(**texts: str) -> list[str]:
        for name, text in texts.items():
            (config / f"{name}.toml").write_text(text)
        with pytest.raises(CatalogueError) as caught:
            load(FOLDER, config)
        return caught.value.mistakes

    return written


class TestLayers:
    def test_without_files_of_the_operator_the_shipped_ones_hold(self, config: Path) -> None:
        assert load(FOLDER, config) == CATALOGUE
        assert load(FOLDER, config / "absent") == CATALOGUE

    def test_entries_are_added(self, config: Path) -> None:
        (config / "models.toml").write_text(MODEL)
        (config / "plans.toml").write_text(PLAN)
        (config / "providers.toml").write_text(PROVIDER)

        merged = load(FOLDER, config)

        assert list(merged.models) == [*CATALOGUE.models, "mine"]
        assert list(merged.plans) == [*CATALOGUE.plans, "mine"]
        assert list(merged.providers) == [*CATALOGUE.providers, "mine"]

    def test_an_entry_of_the_same_id_replaces_the_whole_entry_in_its_place(
        self, config: Path
    ) -> None:
        (config / "models.toml").write_text(MODEL.replace('"mine"', '"gpt-4o"'))

        merged = load(FOLDER, config)

        assert list(merged.models) == list(CATALOGUE.models)
        assert merged.models["gpt-4o"].code == "xm"
        assert merged.models["gpt-4o"].default_parameters == {}
        assert merged.models["gpt-4o-mini"] == CATALOGUE.models["gpt-4o-mini"]

    def test_a_file_may_begin_as_windows_editors_begin_it(self, config: Path) -> None:
        (config / "plans.toml").write_bytes(b"\xef\xbb\xbf" + PLAN.encode())

        assert "mine" in load(FOLDER, config).plans

    def test_an_embedding_model_needs_no_output_limit_and_no_output_price(
        self, config: Path
    ) -> None:
        (config / "models.toml").write_text(EMBEDDING)

        assert load(FOLDER, config).models["mine"].kind == "embedding"


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

    assert any(m.startswith(f"config/providers.toml: provider 'mine': {field} ") for m in found)
    assert any(remedy in mistake for mistake in found)


def test_a_mistake_in_a_list_is_one_mistake(mistakes: Callable[..., list[str]]) -> None:
    """Not also one of the list."""
    assert mistakes(models=MODEL.replace("{ provider", "{ x = 1, provider")) == [
        "config/models.toml: model 'mine': routes.0.x is not a known field. Known are: "
        f"{', '.join(Route.model_fields)}."
    ]


@pytest.mark.parametrize(
    ("files", "refusal"),
    [
        ({"models": MODEL + "[[models]\n"}, "config/models.toml: it is not TOML: "),
        ({"models": "[[models]\n"}, "(at line 1, column "),
        ({"models": "[" * 5_000}, "config/models.toml: it is not TOML: "),
        ({"plans": PLAN + PLAN}, "config/plans.toml: it is not TOML: "),
        ({"models": MODEL + MODEL}, "model 'mine': id is in the file twice. Remove one."),
        ({"models": MODEL.replace("[[models]]", "[[model]]")}, "'model' is unknown at the top."),
        ({"models": MODEL.replace("[[models]]", "[models]")}, "must be [[models]] tables"),
        ({"models": MODEL.replace('id = "mine"', "")}, "model number 1: id is missing or no text."),
        ({"models": MODEL.replace('id = "mine"', "id = 5")}, "model number 1: id is missing"),
        ({"models": "models = [1]"}, "model number 1: id is missing"),
        ({"plans": "keys = 1"}, "config/plans.toml: 'keys' must be a table. Begin one with"),
        (
            {"plans": PLAN.replace("[mine]", "[[mine]]")},
            "config/plans.toml: 'mine' must be a table",
        ),
        (
            {"providers": PROVIDER.replace("[mine]", "[sandbox]")},
            "name is that of the built-in sandbox",
        ),
        (
            {
                "models": MODEL.replace(
                    'model = "losi', 'refuses = ["tools_with_reasoning"], model = "losi'
                )
            },
            'routes.0.default_parameters needs reasoning_effort = "none"',
        ),
        (
            {"models": EMBEDDING.replace('"sandbox"', '"anthropic"')},
            "routes.0.provider has the format 'anthropic', which has no embeddings.",
        ),
    ],
)
def test_a_file_of_another_form_is_refused(
    mistakes: Callable[..., list[str]], files: dict[str, str], refusal: str
) -> None:
    [mistake] = mistakes(**files)

    assert refusal in mistake


def test_a_file_in_another_encoding_is_refused_with_its_line(config: Path) -> None:
    (config / "plans.toml").write_bytes(b"# one\n# caf\xe9\n")

    with pytest.raises(CatalogueError) as caught:
        load(FOLDER, config)

    assert caught.value.mistakes == [
        "config/plans.toml: line 2 is not UTF-8. Save the file as UTF-8 text."
    ]


def test_what_cannot_be_read_is_refused(config: Path) -> None:
    (config / "plans.toml").mkdir()

    with pytest.raises(CatalogueError, match=r"config/plans\.toml: it cannot be read \("):
        load(FOLDER, config)


@pytest.mark.parametrize(
    ("right", "instead"),
    [
        ('base_url = "https://llm.example/v1"', 'base_url_variable = "LOSI_MINE_URL"'),
        ('key_variable = "LOSI_MINE_API_KEY"', "key_optional = true"),
        ('format = "openai"', 'format = "bedrock"\nregion_variable = "LOSI_MINE_REGION"'),
        ('format = "openai"', 'format = "sandbox"'),
    ],
)
def test_a_provider_may_be_reached_in_another_way(config: Path, right: str, instead: str) -> None:
    (config / "providers.toml").write_text(PROVIDER.replace(right, instead))

    assert "mine" in load(FOLDER, config).providers


@pytest.mark.parametrize(
    "said",
    [
        'refuses = ["tools_with_reasoning"], default_parameters = { reasoning_effort = "none" }',
        'refuses = ["forced_tools"]',
    ],
)
def test_what_a_route_refuses_may_be_met_by_a_default(config: Path, said: str) -> None:
    (config / "models.toml").write_text(MODEL.replace("{ provider", f"{{ {said}, provider"))

    assert "mine" in load(FOLDER, config).models


@pytest.mark.parametrize(
    ("value", "shown"), [("x" * 38, f"'{'x' * 38}'"), ("x" * 39, f"'{'x' * 36}...")]
)
def test_a_long_value_is_shown_in_part(
    mistakes: Callable[..., list[str]], value: str, shown: str
) -> None:
    [mistake] = mistakes(plans=PLAN.replace("= 10\n", f'= "{value}"\n'))

    assert mistake.endswith(f", and is {shown}.")


class TestTheCheckOfABuild:
    """`python -m losi.catalogue`"""

    def test_a_right_catalogue_passes(self) -> None:
        runpy.run_module("losi.catalogue", run_name="__main__")

    def test_mistakes_stop_it_and_are_said(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (config / "plans.toml").write_text("keys = 1")
        monkeypatch.setattr(loader, "FOLDERS", (FOLDER, config))

        with pytest.raises(SystemExit, match=r"config/plans\.toml: 'keys' must be a table"):
            runpy.run_module("losi.catalogue", run_name="__main__")


def test_every_format_of_http_needs_a_url(mistakes: Callable[..., list[str]]) -> None:
    wrong = PROVIDER.replace('"openai"', '"openai-responses"').replace("base_url", "#")

    assert [m for m in mistakes(providers=wrong) if "base_url is missing." in m]


def test_all_mistakes_of_all_files_are_named_at_once(mistakes: Callable[..., list[str]]) -> None:
    found = mistakes(
        models=MODEL.replace("1.0", '"1"').replace("2.0", '"2"'),
        plans=PLAN.replace("= 2\n", "= 0\n"),
        providers=PROVIDER.replace("https", "ftp"),
    )

    assert len(found) == 4


def test_a_value_in_the_place_of_a_variables_name_is_not_shown(
    mistakes: Callable[..., list[str]],
) -> None:
    [mistake] = mistakes(providers=PROVIDER.replace('"LOSI_MINE_API_KEY"', '"sk-verysecret"'))

    assert "sk-verysecret" not in mistake


@pytest.mark.parametrize("row_type", [Model, Route, Prices, Plan, Provider])
def test_every_field_says_what_it_must_be(row_type: type[Row]) -> None:
    for name in row_type.model_fields:
        detail: dict[str, Any] = {"type": "any", "loc": (name,), "input": 1}

        _, reason = _explained(row_type, detail)

        assert reason.startswith("must be ")
        assert len(reason) > len("must be , and is 1.") or name.endswith("_variable")
