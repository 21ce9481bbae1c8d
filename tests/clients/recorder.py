"""A server that notes the chat completions it is asked for, and answers each with what fits."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.strict_upstream.answers import example

Json = dict[str, Any]


class Recorder:
    def __init__(self) -> None:
        self.bodies: list[Json] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                recorder.bodies.append(body)
                sent = json.dumps(_answer(body)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/api/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _answer(body: Json) -> Json:
    wanted = body.get("response_format") or {}
    message: Json = {"role": "assistant", "content": "It rains."}
    if "json_schema" in wanted:
        schema = wanted["json_schema"]["schema"]
        message["content"] = json.dumps(example(schema, schema))
    elif "schema" in wanted:
        message["content"] = json.dumps(example(wanted["schema"], wanted["schema"]))
    elif body.get("tools"):
        function = body["tools"][0]["function"]
        arguments = json.dumps(example(function["parameters"], function["parameters"]))
        call = {"name": function["name"], "arguments": arguments}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        }
    finish = "tool_calls" if message["content"] is None else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
