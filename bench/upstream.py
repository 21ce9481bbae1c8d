"""A provider that answers at once, in OpenAI's and Anthropic's formats: `python -m bench.upstream`.

Everything it sends is made before it listens, so that it costs next to nothing.
"""

import asyncio
import json
import sys
from collections.abc import Iterable
from typing import Any

EVENTS = 100
WORDS = "one two three four five "


def event(data: Any, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def openai_events(count: int = EVENTS, text: str = WORDS) -> list[bytes]:
    deltas = [{"content": text}] * count
    return _openai([{"role": "assistant", "content": ""}, *deltas], "stop")


def tool_events(count: int = EVENTS) -> list[bytes]:
    """The arguments of one call, a few characters at a time."""
    call = {"index": 0, "id": "call_1", "type": "function"}
    begun = {"tool_calls": [{**call, "function": {"name": "look_up", "arguments": "{"}}]}
    piece = {"tool_calls": [{"index": 0, "function": {"arguments": '"a":1,'}}]}
    return _openai(
        [{"role": "assistant", "content": None, **begun}, *[piece] * count], "tool_calls"
    )


def _openai(deltas: list[dict[str, Any]], reason: str) -> list[bytes]:
    def chunk(choices: list[Any], **more: Any) -> bytes:
        told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return event({**told, "choices": choices, **more})

    def choice(delta: Any, reason: str | None = None) -> list[Any]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]

    usage = {"prompt_tokens": 9, "completion_tokens": 100, "total_tokens": 109}
    return [
        *(chunk(choice(delta)) for delta in deltas),
        chunk(choice({}, reason)),
        chunk([], usage=usage),
        event("[DONE]"),
    ]


def anthropic_events(count: int = EVENTS) -> list[bytes]:
    usage = {"input_tokens": 9, "output_tokens": 1}
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    delta = {"type": "text_delta", "text": WORDS}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    told: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for _ in range(count)),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": count}},
        {"type": "message_stop"},
    ]
    return [event(one, str(one["type"])) for one in told]


def completion() -> bytes:
    message = {"role": "assistant", "content": WORDS, "refusal": None}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 6, "total_tokens": 15},
        }
    ).encode()


def chunked(pieces: Iterable[bytes]) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]


SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
END = b"0\r\n\r\n"

OPENAI = chunked(openai_events())
LONG = chunked(openai_events(1_000))
CRLF = chunked(one.replace(b"\n", b"\r\n") for one in openai_events())
ANTHROPIC = chunked(anthropic_events())
#: Secrets Manager's answer, from the same address.
_TOLD = json.dumps(
    {"SecretString": json.dumps({"LOSI_OPENAI_API_KEY": "sk", "LOSI_ANTHROPIC_API_KEY": "sk"})}
).encode()
SECRET = JSON % (len(_TOLD), _TOLD)
PLAIN = JSON % (len(completion()), completion())


def _split() -> list[bytes]:
    whole = b"".join(openai_events())
    return chunked(whole[at : at + 100] for at in range(0, len(whole), 100))


#: By a word of the prompt: the pieces, and seconds between two of them.
STREAMS = {
    b"bench-long": (LONG, 0.0),
    b"bench-crlf": (CRLF, 0.0),
    b"bench-split": (_split(), 0.0),
    b"bench-paced": (OPENAI, 0.02),
    b"bench-large": (chunked(openai_events(text=WORDS * 170)), 0.0),
    b"bench-tools": (chunked(tool_events()), 0.0),
}


async def answer(body: bytes, path: bytes, writer: asyncio.StreamWriter) -> None:
    if b'"SecretId"' in body:
        writer.write(SECRET)
        return
    if b'"stream":true' not in body and b'"stream": true' not in body:
        writer.write(PLAIN)
        return
    pieces, pause = (ANTHROPIC, 0.0) if b"messages" in path else (OPENAI, 0.0)
    for word, found in STREAMS.items():
        if word in body:
            pieces, pause = found
    if not pause:
        writer.write(SSE + b"".join(pieces) + END)
        await writer.drain()
        return
    writer.write(SSE)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(pause)
    writer.write(END)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next(int(x[15:]) for x in lines if x.startswith(b"content-length:"))
            await answer(await reader.readexactly(length), head.split(b" ", 2)[1], writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
