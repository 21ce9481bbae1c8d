"""Sends hostile requests to a target, and tells which answers must not be."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from losi.web.endpoints import CONSOLE, Endpoint
from tests.hostile.requests import HostileRequest, hostile_requests
from tests.hostile.target import MOST_MEGABYTES, MOST_SECONDS, Target

#: Requests with one key, before its refusals would be throttled.
KEY_LASTS = 40
#: More would be a hang; the sandbox answers in no time.
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def attack(target: Target, endpoint: Endpoint, seed: int, count: int) -> list[str]:
    """What was found: the request, and what is wrong about its answer."""
    return list(_findings(target, endpoint, seed, count))


def _findings(target: Target, endpoint: Endpoint, seed: int, count: int) -> Iterator[str]:
    send(target.url, HostileRequest(endpoint.method, endpoint.path, [], b""))  # starts a process
    usage = target.usage()
    for part in range(0, count, KEY_LASTS):
        by_session = endpoint in CONSOLE and endpoint.function != "sign_in"
        key = {"Authorization": f"Bearer {target.new_key()}"}
        credential = target.new_session() if by_session else key
        few = min(KEY_LASTS, count - part)
        for request in hostile_requests(endpoint, credential, seed * 1_000_000 + part, few):
            usage.reset()
            try:
                answer = send(target.url, request)
            except (OSError, http.client.HTTPException) as error:
                yield f"{request}: no answer: {error!r}"
                continue
            for wrong in mistakes(request, answer):
                yield f"{request}: {wrong}"
            if usage.megabytes > MOST_MEGABYTES or usage.seconds > MOST_SECONDS:
                yield f"{request}: {usage.megabytes:.0f} MB, {usage.seconds:.1f} s"


def send(url: str, request: HostileRequest) -> Answer:
    """Over a connection of its own, with nothing added but what HTTP wants."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=PATIENCE_SECONDS)
    try:
        names = {name.lower() for name, _ in request.headers}
        connection.putrequest(
            request.method, request.target, skip_host="host" in names, skip_accept_encoding=True
        )
        for name, value in request.headers:
            connection.putheader(name, value.strip(" \t").encode("latin-1"))
        if request.chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif request.body or request.method in ("POST", "PATCH", "PUT"):
            connection.putheader("Content-Length", str(len(request.body)))
        with suppress(BrokenPipeError):  # refused before all of it was sent: the answer is there
            connection.endheaders(
                [request.body[:7], request.body[7:]] if request.chunked else request.body,
                encode_chunked=request.chunked,
            )
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def mistakes(request: HostileRequest, answer: Answer) -> Iterator[str]:
    """What no answer may be: a failure of ours, or a refusal that does not say why."""
    if answer.status >= 500:
        yield f"status {answer.status}: {answer.body[:200]!r}"
    if "x-request-id" not in answer.headers:
        yield f"status {answer.status} without x-request-id: {answer.body[:100]!r}"
    if answer.status >= 400 and request.method != "HEAD" and not in_envelope(answer.body):
        yield f"status {answer.status} without the envelope: {answer.body[:200]!r}"
    if len(answer.body) > 20_000 and answer.status >= 400:
        yield f"a refusal of {len(answer.body)} bytes"


def in_envelope(body: bytes) -> bool:
    try:
        data = json.loads(body)
    except ValueError:
        return False
    if not isinstance(data, dict) or list(data) != ["error"] or not isinstance(data["error"], dict):
        return False
    error = data["error"]
    return list(error) == ["message", "type", "param", "code"] and bool(error["message"])
