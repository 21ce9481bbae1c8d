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
from tests.operator_files import EMBEDDING, MODEL, PLAN, PROVIDER


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
