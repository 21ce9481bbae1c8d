"""The reference: a page for each operation of docs/openapi.json, as HTML and as Markdown."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from local.site.markdown import BASE_URL, PLACEHOLDER, code, heading, render, tabs

Schema = dict[str, Any]
#: Nested objects are shown to this depth; deeper ones only name their schema.
DEPTH = 3


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    anchor: str
    type: str
    required: bool
    text: str
    choices: tuple[str, ...]
    children: "tuple[Parameter, ...]"


class Operation:
    def __init__(self, document: Schema, path: str, method: str) -> None:
        self._document = document
        self._operation: Schema = document["paths"][path][method]
        self.method = method.upper()
        self.path = f"/api/v1{path}"
        self.title: str = self._operation["summary"]
        self.slug = self.title.lower().replace(",", "").replace("'", "").replace(" ", "-")
        self.text: str = self._operation["description"]

    def parameters(self) -> list[tuple[str, list[Parameter]]]:
        """The operation's parameters by place: path, query, body."""
        groups = []
        for place, title in (("path", "Path"), ("query", "Query")):
            rows = [
                self._parameter(each["name"], each["schema"], each.get("required", False), each)
                for each in self._operation.get("parameters", ())
                if each["in"] == place
            ]
            groups.append((f"{title} parameters", rows))
        groups.append(("Request body", list(self._properties(self._body(), "", 0))))
        return [(title, rows) for title, rows in groups if rows]

    def answer(self) -> list[Parameter]:
        """What a 200 holds. Fields that are always there are not marked as such."""
        content = self._operation["responses"]["200"].get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        rows = self._properties(self._resolve(schema), "answer-", 0)
        return [replace(row, required=False) for row in rows]

    def answer_example(self) -> Any:
        content = self._operation["responses"]["200"].get("content", {})
        return _first_example(content.get("application/json", {}))

    def errors(self) -> list[tuple[str, str]]:
        return [
            (status, self._resolve(response).get("description", ""))
            for status, response in self._operation["responses"].items()
            if status != "200"
        ]

    def request_example(self) -> Any:
        content = self._operation.get("requestBody", {}).get("content", {})
        return _first_example(content.get("application/json", {}))

    def url(self) -> str:
        query = "&".join(
            f"{each['name']}={_example_of(each)}"
            for each in self._operation.get("parameters", ())
            if each["in"] == "query" and (each.get("required") or each.get("example"))
        )
        path = self.path.removeprefix("/api/v1").replace("{id}", "gpt-4o")
        return BASE_URL + path + (f"?{query}" if query else "")

    def _body(self) -> Schema:
        content = self._operation.get("requestBody", {}).get("content", {})
        return self._resolve(content.get("application/json", {}).get("schema", {}))

    def _resolve(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            target: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema

    def _properties(self, schema: Schema, prefix: str, depth: int) -> Iterator[Parameter]:
        required = schema.get("required", ())
        for name, each in schema.get("properties", {}).items():
            yield self._parameter(name, each, name in required, each, prefix, depth)

    def _parameter(
        self,
        name: str,
        schema: Schema,
        required: bool,
        described: Schema,
        prefix: str = "",
        depth: int = 0,
    ) -> Parameter:
        variants = self._variants(schema)
        inner = [self._resolve(each.get("items", each)) for each in variants]
        nested = [each for each in inner if each.get("properties")] if depth < DEPTH else []
        anchor = f"{prefix}{name}"
        children = [p for each in nested for p in self._properties(each, f"{anchor}.", depth + 1)]
        choices = [str(c) for each in inner for c in each.get("enum", ())]
        text = described.get("description") or schema.get("description") or ""
        kinds = " or ".join(dict.fromkeys(_type_words(each, self._resolve) for each in variants))
        return Parameter(
            name,
            f"param-{anchor}",
            ", ".join(filter(None, [kinds, _range(variants)])),
            required,
            text,
            tuple(dict.fromkeys(choices)),
            tuple({child.anchor: child for child in children}.values()),
        )

    def _variants(self, schema: Schema) -> list[Schema]:
        schema = self._resolve(schema)
        several = schema.get("anyOf") or schema.get("oneOf") or [schema]
        found = [self._resolve(each) for each in several]
        return [each for each in found if each.get("type") != "null"] or found


def operations(document: Schema) -> list[Operation]:
    return [
        Operation(document, path, method)
        for path, methods in document["paths"].items()
        for method, each in methods.items()
        if isinstance(each, dict) and "operationId" in each
    ]


def to_html(operation: Operation) -> tuple[str, list[tuple[int, str, str]]]:
    """The page's body and its headings: text on the left, samples beside it."""
    headings: list[tuple[int, str, str]] = []

    def section(title: str, body: str) -> str:
        name = title.lower().replace(" ", "-")
        headings.append((2, name, title))
        return heading("h2", name, title) + body

    text = "".join(
        [
            f'<p class="path"><b>{operation.method}</b> <code>{escape(operation.path)}</code></p>',
            render(operation.text).html,
            *(section(title, _list(rows)) for title, rows in operation.parameters()),
            section("Response", _list(operation.answer())) if operation.answer() else "",
            section("Errors", _errors(operation)),
        ]
    )
    aside = tabs(samples(operation))
    example = operation.answer_example()
    if example is not None:
        shown = json.dumps(example, indent=2, ensure_ascii=False)
        aside += code(shown, "json", "Response 200")
    aside += _try_it(operation)
    beside = f'<aside aria-label="Samples">{aside}</aside>'
    return f'<div class="pair"><div class="prose">{text}</div>{beside}</div>', headings


def _try_it(operation: Operation) -> str:
    """A fold that the docs' script fills, as only a script can send the request."""
    body = operation.request_example()
    shown = "" if body is None else json.dumps(body, indent=2, ensure_ascii=False)
    path = operation.url().removeprefix(f"{BASE_URL}/")
    return (
        f'<details class="fold try" data-try data-method="{operation.method}" '
        f'data-path="{escape(path)}" data-body="{escape(shown)}" hidden>'
        "<summary>Try it</summary></details>"
    )


def samples(operation: Operation) -> list[tuple[str, str]]:
    """The call in each language: (language, text)."""
    url, body, method = operation.url(), operation.request_example(), operation.method
    shown = json.dumps(body, indent=2, ensure_ascii=False) if body is not None else None
    flag = "" if method == "GET" or (method == "POST" and shown) else f"-X {method} "
    curl = f'curl {flag}"{url}" \\\n  -H "Authorization: Bearer {PLACEHOLDER}"'
    python = "import httpx\n\n"
    script = f'const response = await fetch("{url}", {{\n  method: "{method}",\n'
    headers = f'Authorization: "Bearer {PLACEHOLDER}"'
    call = f'    "{url}",\n    headers={{"Authorization": "Bearer {PLACEHOLDER}"}},\n'
    if shown:
        quoted = shown.replace("'", "'\\''").replace("\n", "\n  ")
        curl += f" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{quoted}'"
        call += "    json=" + _python(body, 1) + ",\n"
        headers += ', "Content-Type": "application/json"'
    script += f"  headers: {{ {headers} }},\n"
    if shown:
        script += "  body: JSON.stringify(" + shown.replace("\n", "\n  ") + "),\n"
    python += f"response = httpx.{method.lower()}(\n{call})\nprint(response.json())"
    script += "});\nconsole.log(await response.json());"
    return [("sh", curl), ("python", python), ("javascript", script)]


def to_markdown(operation: Operation) -> str:
    lines = [f"# {operation.title}", "", f"`{operation.method} {operation.path}`", ""]
    lines += [operation.text, ""]
    for title, rows in operation.parameters():
        lines += [f"## {title}", "", *_markdown_rows(rows, 0), ""]
    if operation.answer():
        lines += ["## Response", "", *_markdown_rows(operation.answer(), 0), ""]
    lines += ["## Errors", "", *(f"- {status}: {text}" for status, text in operation.errors())]
    return "\n".join(lines) + "\n"


def _list(rows: list[Parameter] | tuple[Parameter, ...]) -> str:
    items = []
    for row in rows:
        need = ' <span class="badge warn">required</span>' if row.required else ""
        words = f'<span class="hide"> Link to {row.name}</span>'
        link = f'<a class="anchor" href="#{row.anchor}">#{words}</a>'
        choices = ""
        if row.choices:
            known = ", ".join(f"<code>{escape(choice)}</code>" for choice in row.choices)
            choices = f"<p>One of: {known}</p>"
        nested = ""
        if row.children:
            nested = (
                f'<details class="fold"><summary>Parts of <code>{row.name}</code></summary>'
                f"{_list(row.children)}</details>"
            )
        items.append(
            f'<dt id="{row.anchor}"><code>{escape(row.name)}</code> <span class="muted">'
            f"{escape(row.type)}</span>{need} {link}</dt>"
            f"<dd>{render(row.text).html}{choices}{nested}</dd>"
        )
    return f'<dl class="params">{"".join(items)}</dl>'


def _errors(operation: Operation) -> str:
    rows = "".join(
        f"<dt><code>{status}</code></dt><dd>{render(text).html}</dd>"
        for status, text in operation.errors()
    )
    return f'<dl class="facts">{rows}</dl><p><a href="../../errors/">All errors</a></p>'


def _markdown_rows(rows: list[Parameter] | tuple[Parameter, ...], depth: int) -> Iterator[str]:
    for row in rows:
        need = ", required" if row.required else ""
        yield f"{'  ' * depth}- `{row.name}` ({row.type}{need}): {row.text}".rstrip(": ")
        yield from _markdown_rows(row.children, depth + 1)


def _type_words(schema: Schema, resolve: Any) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "any")
    if kind == "array":
        inner = resolve(schema.get("items", {}))
        return f"array of {inner.get('type', 'object')}s"
    return str(schema.get("format", "string") if kind == "string" else kind)


def _range(variants: list[Schema]) -> str:
    for each in variants:
        low, high = each.get("minimum"), each.get("maximum")
        if low is not None and high is not None:
            return f"{low:g} to {high:g}"
        if low is not None:
            return f"at least {low:g}"
        if each.get("maxItems"):
            return f"up to {each['maxItems']}"
    return ""


def _first_example(content: Schema) -> Any:
    if "example" in content:
        return content["example"]
    for each in content.get("examples", {}).values():
        return each.get("value")
    return None


def _example_of(parameter: Schema) -> Any:
    known = {"id": "key_abc12345", "start_date": "2026-06-01", "end_date": "2026-06-30"}
    return parameter.get("example") or known.get(parameter["name"], "")


def _python(value: Any, depth: int) -> str:
    pad = "    " * depth
    if isinstance(value, dict):
        inner = "".join(
            f"{pad}    {json.dumps(k)}: {_python(v, depth + 1)},\n" for k, v in value.items()
        )
        return "{\n" + inner + pad + "}"
    if isinstance(value, list):
        inner = "".join(f"{pad}    {_python(each, depth + 1)},\n" for each in value)
        return "[\n" + inner + pad + "]"
    return repr(value) if isinstance(value, bool | None) else json.dumps(value, ensure_ascii=False)
