"""What `losi doctor` makes of answers, and of a vendor's list of models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import httpx
import pytest

from losi.chat.probes import Probe
from losi.cli import doctor
from losi.config import Config
from losi.errors import InvalidRequestError, UpstreamError
from tests.catalogue import CATALOGUE, PROVIDERS


class FailingFormat:
    """A format, and the exchange that it prepares: it fails as it is told."""

    left_out = ("temperature",)

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self.calls: list[str] = []

    def prepare(self, call: Any) -> FailingFormat:
        assert call.request_id == "doctor"
        return self

    async def complete(self) -> None:
        self.calls.append("complete")
        if self._failure:
            raise self._failure

    async def stream(self) -> AsyncIterator[dict[str, Any]]:
        self.calls.append("stream")
        yield {}
        self.calls.append("streamed")


ROUTE = CATALOGUE.models["gpt-4o"].routes[0]
HELLO: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    ("failure", "result"),
    [
        (None, ("takes", None)),
        (InvalidRequestError("No."), ("refuses", "No.")),
        (
            InvalidRequestError("Could not finish: model output limit was reached."),
            ("takes", None),
        ),
        (UpstreamError("Later."), ("fails", "Later.")),
        (TimeoutError(), ("fails", "It took too long.")),
    ],
)
async def test_what_an_answer_says(
    failure: Exception | None, result: tuple[str, str | None]
) -> None:
    probe = Probe("unsupported_parameters", "top_p", HELLO, expected=True)

    assert await doctor._result(FailingFormat(failure), ROUTE, probe) == result  # type: ignore[arg-type]


async def test_what_is_left_out_is_not_sent_and_streams_are_read_to_their_end() -> None:
    asked = FailingFormat()
    left_out = Probe("unsupported_parameters", "temperature", HELLO, expected=False)
    streamed = Probe("refuses", "schema_in_streams", HELLO, expected=True, stream=True)

    assert await doctor._result(asked, ROUTE, left_out) == ("not sent", None)  # type: ignore[arg-type]
    assert asked.calls == []
    assert await doctor._result(asked, ROUTE, streamed) == ("takes", None)  # type: ignore[arg-type]
    assert asked.calls == ["stream", "streamed"]


LISTED = {
    "data": [
        {"id": "gpt-4o", "shutdown_date": "2027-01-14T00:00:00Z"},
        {"id": "gpt-4o-mini", "shutdown_date": None},
        {"id": "gpt-6-luna"},
    ]
}


@pytest.mark.parametrize(
    ("answer", "days", "said"),
    [
        (httpx.Response(200, json=LISTED), {("openai", "gpt-4o"): date(2027, 1, 14)}, ""),
        (httpx.Response(401, json={"error": {}}), {}, ""),
        (httpx.Response(200, text="<html>"), {}, "OpenAI's list of models cannot be read: "),
    ],
)
async def test_days_of_shutdown_are_read_where_a_vendor_lists_them(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: httpx.Response,
    days: dict[tuple[str, str], date],
    said: str,
) -> None:
    asked: list[httpx.Request] = []

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    make = httpx.AsyncClient
    transport = httpx.MockTransport(answered)
    monkeypatch.setattr(httpx, "AsyncClient", lambda: make(transport=transport))
    configured = Config(variables={"LOSI_OPENAI_API_KEY": "k"})
    providers = [PROVIDERS["openai"], PROVIDERS["anthropic"], PROVIDERS["openai"]]

    assert await doctor._shutdown_days(configured, providers) == days

    [request] = asked
    assert str(request.url) == "https://api.openai.com/v1/models"
    assert request.headers["authorization"] == "Bearer k"
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith(said) and bool(printed.err) == bool(said)
