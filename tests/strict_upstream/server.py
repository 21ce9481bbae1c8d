"""The double as a server on a real socket: which path speaks which format."""

import asyncio
import json
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from tests.contract.bedrock_server import event_frame, exception_frame
from tests.fake_upstream import Received, Reply, receive, send
from tests.strict_upstream import (
    bedrock,
    bedrock_format,
    bedrock_messages,  # noqa: F401
    bedrock_responses,
    chat_format,
    claude,
    claude_format,
    claude_images,  # noqa: F401
    claude_messages,  # noqa: F401
    claude_tools,  # noqa: F401
    openai_chat,
    openai_messages,  # noqa: F401
    openai_responses,
    responses_format,
    vendors,
)
from tests.strict_upstream.answers import answer_to
from tests.strict_upstream.openai_models import openai_model
from tests.strict_upstream.rules import Account, Json, Refusal, Request, Rulebook

#: All that know rules. Modules of messages and tools have put theirs in when they were imported.
BOOKS: tuple[Rulebook, ...] = (
    openai_chat.BOOK,
    openai_responses.BOOK,
    claude.BOOK,
    bedrock.BOOK,
    bedrock_responses.BOOK,
    *vendors.BOOKS.values(),
)
RETIREMENTS = Path(__file__).parents[1] / "data" / "retirements.toml"
_FORMATS = {"chat": chat_format, "responses": responses_format, "claude": claude_format}


@dataclass(frozen=True)
class Refused:
    rule: str
    refusal: Refusal
    request: Request


class StrictUpstream:
    """Speaks every format; `account` may be changed between requests."""

    def __init__(self, account: Account | None = None) -> None:
        self.account = account or Account()
        self.requests: list[Request] = []
        self.refused: list[Refused] = []
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**26)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await send(self.reply(await receive(reader)), writer)
        finally:
            self._connections.discard(connection)
            writer.close()

    def reply(self, received: Received) -> Reply:
        if received.method == "GET" and received.path.endswith("/models"):
            return Reply.json({"object": "list", "data": list(listed_models())})
        request = read(received, self.account)
        self.requests.append(request)
        verdict = judge(request)
        if verdict is None:
            return accepted(request)
        self.refused.append(Refused(*verdict, request))
        return refuse(verdict[1], request)


def listed_models() -> Iterator[Json]:
    """OpenAI's list, which says when a model is shut down:
    https://platform.openai.com/docs/api-reference/models/object
    """
    vendors = tomllib.loads(RETIREMENTS.read_text())
    for model, row in vendors["openai"]["models"].items():
        yield {"id": model, "object": "model", "shutdown_date": str(row["shutdown_date"])}


def read(received: Received, account: Account) -> Request:
    path = unquote(received.path)
    try:
        body = json.loads(received.body)
    except ValueError:
        body = {"<not json>": True}
    parts = path.split("?")[0].strip("/").split("/")
    vendor = parts[0] if parts[0] in vendors.BOOKS else "openai"
    if parts[-1] == "messages":
        vendor = "anthropic"
    if parts[0] == "model":
        vendor = "bedrock"
        body = {**body, "model": "/".join(parts[1:-1])}
    return Request(vendor, path, received.headers, received.body, body, account)


def judge(r: Request) -> tuple[str, Refusal] | None:
    """The rule that refuses a request and its answer; None where it is taken."""
    verdicts: list[tuple[str, Refusal] | None] = []
    if r.path.startswith("/mantle"):
        verdicts.append(_of(bedrock_responses.BOOK, "B51", r))
        verdicts.append(_of(bedrock_responses.BOOK, "B52", r))
    elif r.vendor == "bedrock":
        verdicts += [bedrock.BOOK.judge(r), bedrock.judge_claude(r)]
    elif r.path.startswith("/openai/v1/responses"):
        verdicts.append(_of(bedrock_responses.BOOK, "B50", r))
    elif r.path.endswith("/responses"):
        verdicts.append(openai_responses.BOOK.judge(r))
    elif r.vendor == "anthropic":
        verdicts.append(claude.BOOK.judge(r))
    elif r.vendor == "openai":
        verdicts.append(openai_chat.BOOK.judge(r))
    else:
        verdicts.append(vendors.BOOKS[r.vendor].judge(r))
        if r.vendor == "azure" and openai_model(r.model):  # C40: section 1 by model
            verdicts.append(openai_chat.BOOK.judge(r))
    return next((verdict for verdict in verdicts if verdict is not None), None)


def _of(book: Rulebook, rule_id: str, r: Request) -> tuple[str, Refusal] | None:
    refusal = next(book.predicates[rule_id](r), None)
    return None if refusal is None else (rule_id, refusal)


def accepted(r: Request) -> Reply:
    if r.vendor == "bedrock":
        answer = answer_to(bedrock_format.wish(r))
        if not r.path.endswith("-stream"):
            return Reply.json(bedrock_format.plain(answer, r))
        frames = [event_frame(event) for event in bedrock_format.stream(answer, r)]
        if r.account.breaks_streams:
            frames = [*frames[:2], exception_frame("modelStreamErrorException", "broken")]
        return Reply(frames, headers={"content-type": "application/vnd.amazon.eventstream"})
    name = "responses" if r.path.endswith("/responses") else "chat"
    format_: Any = _FORMATS["claude" if r.vendor == "anthropic" else name]
    answer = answer_to(format_.wish(r))
    if r.body.get("stream"):
        return Reply.sse(format_.stream(answer, r))
    return Reply.json(format_.plain(answer, r))


def refuse(refusal: Refusal, r: Request) -> Reply:
    headers = dict(refusal.headers)
    if r.vendor == "bedrock":
        headers["x-amzn-errortype"] = refusal.type or "ValidationException"
        body: Json = {"message": refusal.message}
    elif r.vendor == "anthropic":
        body = claude_format.refused(refusal)
    else:
        body = chat_format.refused(refusal, r)
    reply = Reply.json(body, refusal.status)
    return Reply(reply.body, refusal.status, {**reply.headers, **headers})
