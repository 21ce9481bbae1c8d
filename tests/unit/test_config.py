"""The environment is read in one place, and that place explains every variable."""

import re
from pathlib import Path

import pytest

from local.table import load_template
from losi import config
from losi.config import Config, read_config

LOSI = Path(config.__file__).parent
#: X-Ray's SDK reads the trace id that the runtime writes; the site asks whether SAM runs it; and
#: credentials change while a process lives (SnapStart sets others after the restore).
ELSEWHERE = {
    "aws/runtime/loop.py": {"_X_AMZN_TRACE_ID"},
    "web/site.py": {"AWS_SAM_LOCAL"},
    "store/signing.py": {"env = os.environ"},
}


def test_nothing_else_reads_the_environment() -> None:
    for path in LOSI.rglob("*.py"):
        lines = [
            line for line in path.read_text().splitlines() if re.search(r"os.environ|getenv", line)
        ]
        name = str(path.relative_to(LOSI))
        if name != "config.py":
            allowed = ELSEWHERE.get(name, set())
            assert all(any(each in line for each in allowed) for line in lines), (name, lines)


def test_every_variable_is_explained() -> None:
    explained = config.__doc__ or ""
    read = set(re.findall(r'get\("([A-Z_]+)"', Path(config.__file__).read_text()))
    template = load_template()
    functions = [template["Globals"]["Function"]["Environment"]["Variables"]]
    functions += [
        each["Properties"].get("Environment", {}).get("Variables", {})
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Serverless::Function"
    ]
    deployed = {name for variables in functions for name in variables if name[:5] == "LOSI_"}

    assert {"LOSI_TABLE", "LOSI_STAGE"} <= read
    families = re.findall(r"([A-Z_]+_)\*", explained)
    for name in read | (deployed - {"LOSI_BEDROCK_REGION"}):
        assert name in explained or name.startswith(tuple(families)), name


def test_it_is_read_once_and_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSI_TABLE", "a-table")
    monkeypatch.setenv("LOSI_GROQ_API_KEY", "a-key")
    monkeypatch.delenv("LOSI_SANDBOX_FALLBACK", raising=False)
    found = read_config()
    monkeypatch.setenv("LOSI_TABLE", "another")

    assert (found.table, found.sandbox_fallback) == ("a-table", False)
    assert found.variables["LOSI_GROQ_API_KEY"] == "a-key"


def test_no_key_shows_where_the_config_is_printed() -> None:
    assert "sk-live" not in repr(Config(variables={"LOSI_OPENAI_API_KEY": "sk-live"}))
