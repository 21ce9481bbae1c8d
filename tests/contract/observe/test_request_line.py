"""One line a request, whatever becomes of it, and none of the caller's or a provider's words."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from losi import __version__
from losi.logs import set_levels
from losi.observe import metrics
from losi.observe.request import FIELDS, client_family
from tests.contract.observe.conftest import ANSWER, MICRO_USD, PROVIDER_KEY, USAGE, World
from tests.fake_upstream import Reply

PAGE = Path(__file__).parents[3] / "docs" / "observability.md"
CHAT = "/api/v1/chat/completions"


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def chunk(text: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


END = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
STREAM = [chunk("Hello"), chunk(" you"), END, event(choices=[], usage=USAGE), b"data: [DONE]\n\n"]


async def answered(world: World) -> None:
    await world.chat()


async def streamed(world: World) -> None:
    world.upstream.replies = [Reply.sse(STREAM)]
    await world.chat(stream=True)


async def listed(world: World) -> None:
    await world.http.get("/api/v1/models")


async def unauthorized(world: World) -> None:
    await world.http.post(CHAT, headers={"Authorization": "Bearer losi-none"}, json={})


async def too_large(world: World) -> None:
    body = gzip.compress(b" " * 20_000_000)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    await world.http.post(CHAT, content=body, headers=headers)


async def throttled(world: World) -> None:
    account = world.services.accounts.account(world.secret.account_id)
    world.services.accounts.set_plan(account.id, "free")
    for _ in range(21):  # ten are allowed a minute, and a new minute may begin
        world.lines.clear()
        if (await world.chat(model="gpt-4o-mini")).status_code == 429:
            return


async def broken(world: World) -> None:
    world.upstream.replies = [Reply.sse([chunk("Hello")], cut=True)]
    await world.chat(stream=True)


async def timed_out(world: World) -> None:
    """The runtime stops the app before Lambda would kill the process."""
    marked_body = asyncio.Event()

    async def silence() -> AsyncIterator[bytes]:
        marked_body.set()
        await asyncio.Event().wait()
        yield b""

    world.upstream.replies = [Reply(silence())]
    call = asyncio.ensure_future(world.chat())
    await marked_body.wait()
    call.cancel()
    await asyncio.wait({call})


CASES: dict[str, Callable[[World], Awaitable[None]]] = {
    "200": answered,
    "stream": streamed,
    "models": listed,
    "401": unauthorized,
    "413": too_large,
    "429": throttled,
    "broken stream": broken,
    "timeout": timed_out,
}


def documented() -> dict[str, dict[str, bool]]:
    """Field -> case -> whether it has a value, as the page's table says."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("|")
    ]
    header = next(row for row in rows if row[0] == "field")
    table = rows[rows.index(header) + 2 :]
    return {
        row[0].strip("`"): {
            case: cell == "x" for case, cell in zip(header, row, strict=True) if case in CASES
        }
        for row in table[: len(FIELDS)]
    }


def test_the_page_has_every_field_and_every_case() -> None:
    table = documented()

    assert tuple(table) == FIELDS
    assert all(tuple(row) == tuple(CASES) for row in table.values())


@pytest.mark.parametrize("case", CASES)
async def test_what_is_null_is_what_the_page_says(world: World, case: str) -> None:
    await CASES[case](world)

    line = world.lines[0]
    expected = {field: row[case] for field, row in documented().items()}
    assert {field: line[field] is not None for field in FIELDS} == expected


class TestWhatItSays:
    async def test_whose_it_was_and_what_it_cost(self, world: World) -> None:
        response = await world.chat()

        (line,) = world.lines
        assert line["request_id"] == response.headers["x-request-id"]
        assert line["account"] == f"acct_{world.secret.account_id}"
        assert line["by"] == f"key_{world.secret.key_id}"
        assert (line["endpoint"], line["model"]) == ("create_chat_completion", "gpt-4o")
        assert (line["status"], line["error"]) == (200, None)
        assert (line["input_tokens"], line["output_tokens"]) == (1_000, 100)
        assert (line["cached_tokens"], line["micro_usd"]) == (400, MICRO_USD)
        assert line["user_agent"] == "openai-python"
        assert line["version"] == __version__

    async def test_each_attempt_with_its_outcome(self, world: World) -> None:
        refused = Reply.json({"error": {"message": "no", "code": "model_not_found"}}, 404)
        world.upstream.replies = [Reply.json({}, 500), refused, Reply.json(ANSWER)]

        await world.chat()

        line = world.lines[0]
        assert [(each["route"], each["outcome"]) for each in line["attempts"]] == [
            ("openai/gpt-4o", "upstream_error"),
            ("openai/gpt-4o", "upstream_model_not_found"),
            ("openai/gpt-6-luna", "ok"),
        ]
        assert line["status"] == 200

    async def test_its_times_add_up(self, world: World) -> None:
        await streamed(world)

        line = world.lines[0]
        assert line["upstream_ms"] + line["overhead_ms"] == line["duration_ms"]
        assert line["first_chunk_ms"] <= line["duration_ms"]
        assert line["attempts"][0]["ms"] <= line["upstream_ms"]

    async def test_a_broken_stream_is_billed_and_says_why_it_broke(self, world: World) -> None:
        await broken(world)

        line = world.lines[0]
        assert (line["status"], line["error_type"]) == (200, "server_error")
        assert line["error"] == "upstream_incomplete"
        assert line["estimated"] and line["micro_usd"] > 0

    async def test_one_that_is_stopped_says_so(self, world: World) -> None:
        await timed_out(world)

        line = world.lines[0]
        assert (line["status"], line["error"], line["error_type"]) == (
            None,
            "stopped",
            "server_error",
        )
        assert [each["outcome"] for each in line["attempts"]] == ["cancelled"]

    async def test_only_the_first_request_of_a_process_is_a_cold_start(self, world: World) -> None:
        await listed(world)
        await listed(world)

        assert [line["cold_start"] for line in world.lines] == [True, False]

    async def test_a_test_key_pays_nothing(self, world: World) -> None:
        from losi.identity.key import NewKey

        key = NewKey("test", frozenset({"chat.completions"}), test=True)
        _, secret = world.services.accounts.create_key(world.secret.account_id, key)

        await world.http.post(
            CHAT,
            headers={"Authorization": f"Bearer {secret.text}"},
            json={"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]},
        )

        line = world.lines[0]
        assert (line["test"], line["micro_usd"]) == (True, 0)
        assert line["input_tokens"] > 0

    async def test_who_may_not_is_named_all_the_same(self, world: World) -> None:
        from losi.identity.key import NewKey

        key = NewKey("models", frozenset({"models.list"}))
        _, secret = world.services.accounts.create_key(world.secret.account_id, key)

        await world.http.post(CHAT, headers={"Authorization": f"Bearer {secret.text}"}, json={})

        assert (world.lines[0]["status"], world.lines[0]["by"]) == (403, f"key_{secret.key_id}")


class TestRequestIds:
    async def test_one_that_is_sent_in_is_ignored(self, world: World) -> None:
        await world.http.get("/api/v1/models", headers={"X-Request-Id": "of the caller"})

        assert re.fullmatch(r"req_\w{16}", world.lines[0]["request_id"])

    async def test_it_is_api_gateways_own_where_there_is_one(self, world: World) -> None:
        trace = "1-67891233-abcdef012345678912345678"
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/api/v1/openapi.json",
            "query_string": b"",
            "headers": [(b"x-amzn-trace-id", f"Root={trace};Parent=1;Sampled=0".encode())],
            "aws.event": {"requestContext": {"requestId": "4f6c1a2b-0001"}},
        }
        await world.app(scope, receive, send)

        line = world.lines[0]
        assert (line["request_id"], line["trace_id"]) == ("4f6c1a2b-0001", trace)
        assert (b"x-request-id", b"4f6c1a2b-0001") in sent[0]["headers"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("AsyncOpenAI/Python 3.54.0", "openai-python"),
        ("OpenAI/JS 5.1.0", "openai-node"),
        ("Anthropic/Python 0.40.0", "anthropic-python"),
        ("Anthropic/JS 0.60.0", "anthropic-node"),
        ("codex_cli_rs/0.50.0 (Debian)", "codex"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32.3", "python"),
        ("python-httpx/0.28.1", "python"),
        ("Python/3.12 aiohttp/3.11.0", "python"),
        ("Python-urllib/3.12", "python"),
        ("node", "node"),
        ("undici", "node"),
        ("axios/1.7.9", "node"),
        ("Go-http-client/2.0", "go"),
        ("Mozilla/5.0 (X11; Linux)", "browser"),
        ("a secret of the caller", "other"),
        ("", "none"),
    ],
)
def test_a_user_agent_is_one_of_a_few_families(header: str, expected: str) -> None:
    assert client_family(header) == expected


class Canaries:
    """A word for each place that a caller or provider can write to."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, place: str) -> str:
        self.made.append(f"canary-{len(self.made)}-{place}")
        return self.made[-1]


def marked_body(canary: Canaries) -> dict[str, Any]:
    function = {
        "name": "f",
        "description": canary("description"),
        "parameters": {"type": "object", "properties": {canary("property"): {"type": "string"}}},
    }
    call = {"id": canary("call"), "type": "function"}
    call_of = {**call, "function": {"name": "f", "arguments": json.dumps({"a": canary("args")})}}
    return {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": canary("system"), "name": canary("name")},
            {"role": "user", "content": [{"type": "text", "text": canary("text")}]},
            {"role": "assistant", "content": None, "tool_calls": [call_of]},
            {"role": "tool", "tool_call_id": call["id"], "content": canary("result")},
        ],
        "tools": [{"type": "function", "function": function}],
        "stop": [canary("stop")],
        "user": canary("user"),
        "metadata": {canary("key"): canary("value")},
        "prediction": {"type": "content", "content": canary("prediction")},
    }


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "what",
    ["answer", "error", "refusal", "garbage", "broken", "unknown model", "wrong field", "not JSON"],
)
async def test_no_canary_is_in_any_log_at_any_level(
    world: World, what: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    set_levels("DEBUG")  # as a deployed function would
    caplog.set_level(logging.DEBUG)
    canary = Canaries()
    body = {**marked_body(canary), "stream": stream}
    said = {"role": "assistant", "content": canary("answer"), "refusal": canary("refusal")}
    error = {"error": {"message": canary("message"), "type": canary("type"), "code": canary("c")}}
    spoken = event(
        choices=[{"index": 0, "delta": {"content": canary("delta")}, "finish_reason": None}],
        system_fingerprint=canary("fingerprint"),
    )
    replies = {
        "error": Reply.json(error, 500, x_odd=canary("header")),
        "refusal": Reply.json(error, 400),
        "garbage": Reply([canary("garbage").encode()], headers={"content-type": "text/html"}),
        "broken": Reply.sse([spoken, event(**error)], cut=True),
    }
    whole = Reply.json({"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]})
    world.upstream.replies = [replies.get(what, Reply.sse([spoken, END]) if stream else whole)]
    content: Any = json.dumps(body)
    if what == "unknown model":
        content = json.dumps({**body, "model": canary("model")})
    elif what == "wrong field":
        content = json.dumps({**body, canary("field"): 1, "temperature": canary("temperature")})
    elif what == "not JSON":
        content = canary("content")

    response = await world.http.post(
        f"{CHAT}?q={canary('query')}",
        content=content,
        headers={
            "Content-Type": "application/json",
            "User-Agent": canary("agent"),
            "X-Request-Id": canary("id"),
            "Idempotency-Key": canary("idempotency"),
            "OpenAI-Organization": canary("organization"),
        },
    )

    assert response.status_code
    logged = json.dumps(world.lines) + caplog.text + repr([r.__dict__ for r in caplog.records])
    assert [word for word in canary.made if word in logged] == []
    assert world.secret.secret not in logged
    assert PROVIDER_KEY not in logged


async def test_an_answer_of_the_second_route_is_a_fallback(world: World) -> None:
    failure = Reply.json({}, 500)
    world.upstream.replies = [failure, failure, Reply.json(ANSWER)]

    await world.chat()

    assert world.lines[0][metrics.FALLBACKS] == 1
    assert world.lines[0][metrics.FAULTS] == 0
