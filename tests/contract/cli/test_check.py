"""`losi check`: what is wrong with the operator's files, without a traceback."""

import json
from pathlib import Path

import pytest

from losi.catalogue import loader
from tests.catalogue import CATALOGUE, FOLDER
from tests.contract.cli.command_line import data, error, losi, output


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's folder, in force over the tests' catalogue."""
    folder = tmp_path / "config"
    folder.mkdir()
    monkeypatch.setattr(loader, "FOLDERS", (FOLDER, folder))
    return folder


def test_right_files_are_counted(config: Path) -> None:
    models = len(CATALOGUE.models)

    providers = len(CATALOGUE.providers)
    assert output("check") == (
        f"No mistakes: {models} models, 4 plans, {providers} providers. "
        f"Your own are read from {loader.CONFIG.resolve()}.\n"
        "Models on Bedrock, for template.yaml's BedrockModels: anthropic.claude-sonnet-4-6\n"
    )
    assert data("check") == {
        "mistakes": [],
        "models": models,
        "plans": 4,
        "providers": len(CATALOGUE.providers),
        "bedrock_models": ["anthropic.claude-sonnet-4-6"],
    }


def test_models_on_bedrock_are_told_as_the_template_s_parameter_wants_them(config: Path) -> None:
    mine = (FOLDER / "models.toml").read_text().replace('"us.anthropic.', '"eu.anthropic.')
    (config / "models.toml").write_text(mine)

    assert output("check").endswith("BedrockModels: anthropic.claude-sonnet-4-6\n")


def test_mistakes_are_named_one_a_line_and_nothing_else(config: Path) -> None:
    (config / "plans.toml").write_text("[free]\nkeys = 1\n")

    result = losi("check")

    assert (result.exit_code, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("config/plans.toml: plan 'free': ") for line in lines)


def test_mistakes_as_json(config: Path) -> None:
    (config / "plans.toml").write_text("[free\n")

    result = losi("check", "--json")

    assert result.exit_code == 1
    [mistake] = json.loads(result.stdout)["mistakes"]
    assert mistake.startswith("config/plans.toml: it is not TOML")


@pytest.mark.usefixtures("elsewhere", "client")
def test_other_commands_refuse_to_work_with_a_mistake(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config / "plans.toml").write_text("keys = 1\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    monkeypatch.setenv("LOSI_TABLE", "losi")

    told = error("account", "create", "--name", "Ada")

    assert told.startswith("config/plans.toml: 'keys' must be a table.")
    assert told.endswith("`losi check` names all that is wrong.")
