"""The costliest bodies that fit into a request: what each makes a server parse, keep or repeat."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from functools import cache

from losi.web.parsing import EVENT_RESERVE, MAX_EVENT_BYTES, MAX_VALUES

#: Bytes of a body as a JSON string, in which quotes, backslashes and line breaks count twice.
MOST = MAX_EVENT_BYTES - EVENT_RESERVE - 2_000
#: As many values as a body may hold, with some room for those around them.
MANY = MAX_VALUES - 100
JSON = "application/json"

HI = '{"model":"losi-omega","messages":[{"role":"user","content":"Hi"}],'
SAID = HI[: -len('Hi"}],')]
TOOLS = HI + '"tools":['
SCHEMA = HI + '"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{'


@dataclass(frozen=True)
class Body:
    content: bytes
    coding: str = ""

    @property
    def headers(self) -> dict[str, str]:
        coding = {"Content-Encoding": self.coding} if self.coding else {}
        return {"Content-Type": JSON, **coding}


def full(start: str, unit: str, end: str, most: int = MOST) -> bytes:
    """As often `unit` as there is room for."""
    cost = len(unit.encode()) + sum(unit.count(doubled) for doubled in '"\\\n\r\t')
    return (start + unit * (most // cost) + end).encode()


def many(start: str, unit: str, end: str) -> bytes:
    """As often `unit`, with the comma after it, as the count of values allows."""
    values = sum(unit.count(mark) for mark in ",[{")
    return (start + (unit * (MANY // values)).rstrip(",") + end).encode()


def bodies(fields: str) -> dict[str, Body]:
    """By what each is. `fields` are those of a good body, as JSON without its braces: what is wrong
    comes after them, so that it is looked at.
    """
    plain = {**_broken(fields), **_large(fields), **_many(fields)}
    return {name: Body(content) for name, content in plain.items()} | {
        "a gzip bomb": Body(_bomb(31), "gzip"),
        "a deflate bomb": Body(_bomb(15), "deflate"),
        "a bomb of values": Body(gzip.compress(b'{"messages":[' + b"0," * 3_000_000), "gzip"),
        "a large text, compressed": Body(gzip.compress(full(SAID, "x", '"}]}')), "gzip"),
        "gzip cut short": Body(gzip.compress(b'{"model":"' + b"x" * 10_000_000)[:-9], "gzip"),
    }


@cache
def _bomb(window: int) -> bytes:
    """A quarter of a gigabyte of blanks, in a quarter of a megabyte."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, window)
    blanks = b" " * (1 << 20)
    return b"".join([*(deflater.compress(blanks) for _ in range(256)), deflater.flush()])


def _broken(fields: str) -> dict[str, bytes]:
    return {
        "empty objects": full('{"messages":[', '{"":{}},', "0]}"),
        "zeros": full('{"messages":[', "0,", "0]}"),
        "brackets": full('{"a":', "[", ""),
        "braces": full("", '{"a":', ""),
        "brackets, closed": full('{"a":', "[],", ""),
        "quotes": full("", '"', ""),
        "commas": full("[", ",", ""),
        "colons": full('{"a"', ":", ""),
        "blanks": full("", " ", "{}"),
        "line breaks": full("", "\n", "{}"),
        "bytes that are no UTF-8": b'{"model":"' + b"\xff" * (MOST - 20) + b'"}',
        "halves of surrogate pairs": full('{"model":"', "\\ud800", '"}'),
        "NUL bytes": b"\0" * (MOST // 6),
        "a number of digits": full("{" + fields + ',"n":', "1", "}"),
        "a fraction of digits": full("{" + fields + ',"temperature":0.', "3", "}"),
        "an exponent of digits": full("{" + fields + ',"temperature":1e', "9", "}"),
        "a negative exponent": full("{" + fields + ',"temperature":1e-', "9", "}"),
        "no JSON": full("", "x", ""),
    }


def _large(fields: str) -> dict[str, bytes]:
    return {
        "a large text": full(SAID, "x", '"}]}'),
        "a large text of Chinese": full(SAID, "\u6f22", '"}]}'),
        "a large text of words": full(SAID, "word ", '"}]}'),
        "a large text of escapes": full(SAID, "\\u0041", '"}]}'),
        "a large text of pairs": full(SAID, "\\ud83d\\ude00", '"}]}'),
        "a large text of line breaks": full(SAID, "\\n", '"}]}'),
        "a large text of quotes": full(SAID, '\\"', '"}]}'),
        "a large image": full(
            SAID[:-1] + '[{"type":"image_url","image_url":{"url":"data:image/png;base64,',
            "QUJD",
            '"}}]}]}',
        ),
        "a large model": full(HI + '"model":"', "x", '"}'),
        "a large field": full("{" + fields + ',"', "x", '":1}'),
        "a large key": full('{"name":"', "x", '","permissions":["models.list"]}'),
        "a large permission": full('{"name":"x","permissions":["', "x", '"]}'),
        "a large time": full('{"name":"x","expires_at":"', "9", '"}'),
        "a large user": full(HI + '"user":"', "x", '"}'),
        "a large metadata name": full(HI + '"metadata":{"', "x", '":"x"}}'),
        "a large stop": full(HI + '"stop":["', "x", '"]}'),
        "a large tool": full(TOOLS + '{"type":"function","function":{"name":"', "x", '"}}]}'),
        "a large description": full(
            TOOLS + '{"type":"function","function":{"name":"a","description":"', "x", '"}}]}'
        ),
        "a large role": full('{"model":"losi-omega","messages":[{"role":"', "x", '"}]}'),
        "large arguments": full(
            '{"model":"losi-omega","messages":[{"role":"assistant","tool_calls":'
            '[{"id":"a","function":{"name":"a","arguments":"[',
            "0,",
            '0]"}}]},{"role":"tool","tool_call_id":"a","content":"x"}]}',
        ),
        "a large pattern": full(SCHEMA + '"type":"string","pattern":"', "(a|b)*", '"}}}}'),
        "a large enumerated value": full(SCHEMA + '"enum":["', "x", '"]}}}}'),
        "a large input": full('{"model":"text-embedding-3-small","input":"', "x", '"}'),
        "a large input of words": full('{"model":"text-embedding-3-small","input":"', "a b ", '"}'),
        "a large API key": full('{"api_key":"losi-', "x", '"}'),
    }


def _many(fields: str) -> dict[str, bytes]:
    lists = {
        f"many {unit.rstrip(',')} as {name}": many(f'{{{fields},"{name}":[', unit, "]}")
        for name in ("messages", "tools", "permissions", "input", "a")
        for unit in ("0,", '"",', "{},", '{"":0},')
    }
    names = ",".join(f'"{number}":0' for number in range(MANY))
    parts = SAID[:-1] + "["
    return lists | {
        "many messages": many(HI[:-2] + ",", '{"role":"user","content":"x"},', "]}"),
        "many messages, streamed": many(
            HI[:-2] + ",", '{"role":"user","content":"x"},', '],"stream":true}'
        ),
        "many parts": many(parts, '{"type":"text","text":"x"},', "]}]}"),
        "many broken parts": many(parts, '{"type":"text"},', "]}]}"),
        "many files": many(
            parts, '{"type":"file","file":{"file_data":"data:;base64,QQ=="}},', "]}]}"
        ),
        "many tool calls": many(
            '{"model":"losi-omega","messages":[{"role":"assistant","tool_calls":[',
            '{"id":"a","function":{"name":"a","arguments":"{}"}},',
            "]}]}",
        ),
        "many tools": many(TOOLS, '{"type":"function","function":{"name":"a"}},', "]}"),
        "many functions": many(HI + '"functions":[', '{"name":"a"},', "]}"),
        "many biases": (HI + '"logit_bias":{' + names + "}}").encode(),
        "many wrong biases": (HI + '"logit_bias":{' + names.replace(":0", ':""') + "}}").encode(),
        "much metadata": (HI + '"metadata":{' + names + "}}").encode(),
        "many unknown fields": ("{" + fields + "," + names + "}").encode(),
        "many times the same field": many("{" + fields + ",", '"a":1,', "}"),
        "many properties of a schema": (
            SCHEMA + '"type":"object","properties":{' + names.replace(":0", ":true") + "}}}}}"
        ).encode(),
        "many alternatives of a schema": many(SCHEMA + '"anyOf":[', '{"type":"string"},', "]}}}}"),
        "many required": many(SCHEMA + '"type":"object","required":[', '"a",', "]}}}}"),
        "many inputs": many('{"model":"text-embedding-3-small","input":[', '"x",', "]}"),
        "many tokens": many('{"model":"text-embedding-3-small","input":[', "1,", "]}"),
        "many lists of tokens": many('{"model":"text-embedding-3-small","input":[', "[1],", "]}"),
        "many levels": ("{" + fields + ',"a":' + '{"a":[' * 60 + "1" + "]}" * 60 + "}").encode(),
        "many names of permissions": json.dumps(
            {"name": "x", "permissions": [f"p{n}" for n in range(MANY)]}
        ).encode(),
    }
