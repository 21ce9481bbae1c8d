"""The docs: guides in Markdown, and the reference made from docs/openapi.json."""

import json
import re
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path

from local.site.console import head
from local.site.markdown import render
from local.site.reference import operations, to_html, to_markdown
from losi.catalogue.loader import load
from losi.catalogue.models import Catalogue

GROUPS = {
    "Documentation": ("api-access", "overview"),
    "API resources": ("usage-statistics", "manage-api-keys"),
    "Guides": (
        "streaming",
        "tools",
        "vision",
        "structured-output",
        "losi-omega",
        "sandbox",
        "errors",
        "limits",
        "sdks",
        "agents",
        "migrate",
    ),
    "Endpoints": (),
    "More": ("models", "changelog", "security", "support"),
}


#: The third cell of a row.
_CODE_CELL = re.compile(r"(?<=</td>\n)<td>[^\n]+</td>(?=\n<td>[^\n]+</td>\n</tr>)")
SUMMARY = "OpenAI's format, several providers' models, one key."
#: Replaces the file's own heading where that is written for another reader.
TITLES = {"sandbox": "Sandbox and test keys"}


@dataclass
class Page:
    slug: str
    title: str
    group: str
    body: str
    markdown: str
    summary: str = ""
    headings: list[tuple[int, str, str]] = field(default_factory=list)


def docs_documents(guides: Path, openapi: Path, assets: str) -> dict[str, str]:
    pages = [
        *_guides(guides, "Documentation"),
        *_guides(guides, "API resources"),
        *_guides(guides, "Guides"),
        *_reference(openapi),
        *_guides(guides, "More"),
    ]
    files = {}
    for number, page in enumerate(pages):
        before, after = pages[:number][-1:], pages[number + 1 :][:1]
        files[f"docs/{page.slug}/index.html"] = _document(page, pages, before, after, assets)
        files[f"docs/{page.slug}.md"] = page.markdown
    files["docs/index.html"] = _home(pages, assets)
    files["docs/contents/index.html"] = _contents(pages, assets)
    files["docs/search.json"] = json.dumps(_index(pages), ensure_ascii=False, separators=(",", ":"))
    files["docs/llms.txt"] = files["llms.txt"] = _llms(pages)
    return files


def _guides(folder: Path, group: str) -> list[Page]:
    pages = []
    for slug in GROUPS[group]:
        text = _text(folder, slug)
        first = re.search(r"^# (.+)$", text, re.MULTILINE)
        assert first, f"docs/guides/{slug}.md has no title"
        title = TITLES.get(slug, first[1])
        rendered = render(text)
        if slug == "errors":
            rendered.html = _CODE_CELL.sub(_with_anchor, rendered.html)
        paragraph = re.search(r"<p>(.*?)</p>", rendered.html, re.DOTALL)
        words = unescape(re.sub(r"<[^>]+>", "", paragraph.group(1))) if paragraph else ""
        summary = " ".join(words.split())
        body = f'<div class="prose">{rendered.html}</div>'
        pages.append(Page(slug, title, group, body, text, summary, rendered.headings))
    return pages


def _with_anchor(cell: re.Match[str]) -> str:
    """Give each code in the table of errors an anchor: errors/#key_expired."""
    return re.sub(r"<code>(\w+)</code>", r'<code id="\1">\1</code>', cell.group())


def _text(folder: Path, slug: str) -> str:
    docs = folder.parent
    if slug == "changelog":
        return (docs.parent / "CHANGELOG.md").read_text("utf-8")
    if slug == "sandbox":
        return (docs / "sandbox.md").read_text("utf-8")
    if slug == "models":
        return _models(load())
    text = (folder / f"{slug}.md").read_text("utf-8")
    return text.replace("{{plans}}", _plans(load())) if slug == "limits" else text


def _plans(catalogue: Catalogue) -> str:
    rows = [
        f"| {plan.name.title()} | {plan.keys} | {plan.requests_per_minute:,} "
        f"| {plan.tokens_per_minute:,} | {plan.tokens_per_day:,} | {plan.in_flight} |"
        for plan in catalogue.plans.values()
    ]
    head = "| Plan | Keys | Requests a minute | Tokens a minute | Tokens a day | At the same time |"
    return "\n".join([head, "|---|--:|--:|--:|--:|--:|", *rows])


def _models(catalogue: Catalogue) -> str:
    lines = [
        "# Models",
        "",
        "The models that this API offers, with limits and prices in US dollars per million tokens.",
        "",
        "| Model | Features | Plans | Context | Longest answer | Input | Cached input | Output |",
        "|---|---|---|--:|--:|--:|--:|--:|",
    ]
    for model in catalogue.models.values():
        if not model.plans:
            continue
        prices = model.prices
        cached = prices.input if prices.cached_input is None else prices.cached_input
        features = ", ".join(sorted(model.features)).replace("_", " ")
        plans = ", ".join(name for name in catalogue.plans if name in model.plans)
        lines.append(
            f"| `{model.id}` | {features} | {plans} | {model.context_window:,} "
            f"| {model.max_output_tokens:,} | {prices.input:g} | {cached:g} | {prices.output:g} |"
        )
    return "\n".join(lines) + "\n"


def _reference(openapi: Path) -> list[Page]:
    pages = []
    for operation in operations(json.loads(openapi.read_text("utf-8"))):
        body, headings = to_html(operation)
        summary = f"{operation.method} {operation.path}"
        slug = f"reference/{operation.slug}"
        text = to_markdown(operation)
        pages.append(Page(slug, operation.title, "Endpoints", body, text, summary, headings))
    return pages


def _document(
    page: Page, pages: list[Page], before: list[Page], after: list[Page], assets: str
) -> str:
    root = "../" * (page.slug.count("/") + 1)
    steps = "".join(
        f'<a rel="{relation[:4].lower()}" href="{root}{other.slug}/">'
        f"{relation}: {escape(other.title)}</a>"
        for relation, others in (("Previous", before), ("Next", after))
        for other in others
    )
    name = page.slug.rpartition("/")[2]
    return (
        _head(page.title, root, assets, page.summary)
        + _frame(pages, page.slug, root)
        + f"""<main id="main" tabindex="-1">
<h1 tabindex="-1">{escape(page.title)}</h1>
{_on_this_page(page)}{page.body}
<footer><nav class="steps-nav" aria-label="Pages before and after">{steps}</nav>
<p><small><a href="../{name}.md">Also as Markdown</a></small></p></footer>
</main></div></body></html>
"""
    )


def _head(title: str, root: str, assets: str, summary: str = SUMMARY) -> str:
    place = f"{root}../console/assets/{assets}/"
    return head(title, place, description=summary).replace(
        f'<script src="{place}theme.js"></script>\n',
        f'<script src="{place}docs.js" data-root="{root or "./"}"></script>\n',
    )


def _frame(pages: list[Page], slug: str, root: str) -> str:
    groups = []
    for group in GROUPS:
        links = "".join(
            f'<li><a href="{root}{page.slug}/"{_current(page.slug == slug)}>{escape(page.title)}'
            "</a></li>"
            for page in pages
            if page.group == group
        )
        if links:
            groups.append(f"<li><h2>{group}</h2><ul>{links}</ul></li>")
    return f"""<body class="docs">
<a class="skip" href="#main">Skip to content</a>
<header class="top bar-docs"><button class="button quiet" type="button" popovertarget="menu">Menu\
</button>
<a class="brand" href="{root or "./"}">Losi API docs</a>
<div class="find" data-search hidden></div>
<a class="button quiet" href="{root}../console/">Console</a></header>
<nav class="menu" id="menu" popover aria-label="Docs"><ul class="groups">{"".join(groups)}</ul>
<ul><li><a href="{root}contents/"{_current(slug == "contents")}>All headings</a></li></ul></nav>
<div class="framed">"""


def _current(here: bool) -> str:
    return ' aria-current="page"' if here else ""


def _on_this_page(page: Page) -> str:
    second = [(name, words) for level, name, words in page.headings if level == 2]
    if len(second) < 3:
        return ""
    links = "".join(f'<li><a href="#{name}">{escape(words)}</a></li>' for name, words in second)
    return (
        '<nav class="here" aria-labelledby="here"><h2 id="here">On this page</h2>'
        f"<ul>{links}</ul></nav>"
    )


def _home(pages: list[Page], assets: str) -> str:
    groups = "".join(
        f"<section><h2>{group}</h2><ul>"
        + "".join(
            f'<li><a href="{page.slug}/">{escape(page.title)}</a></li>'
            for page in pages
            if page.group == group
        )
        + "</ul></section>"
        for group in GROUPS
    )
    start = next(page for page in pages if page.slug == "api-access")
    sample = re.search(r'<figure class="code samples">.*?</figure>', start.body, re.DOTALL)
    assert sample
    return (
        _head("Docs", "", assets)
        + _frame(pages, "", "")
        + f"""<main id="main" tabindex="-1"><h1 tabindex="-1">API documentation</h1>
<p class="lead">{SUMMARY}</p>
<div class="row section-chips"><a class="button primary" href="api-access/">Get started</a>
<a class="button" href="../console/settings/api/new/">Create a key</a></div>
<div class="prose">{sample.group()}</div>
<div class="groups-home">{groups}</div></main></div></body></html>
"""
    )


def _contents(pages: list[Page], assets: str) -> str:
    """All anchors: what the search finds, for readers without script."""
    sections = "".join(
        f'<h2><a href="../{page.slug}/">{escape(page.title)}</a></h2><ul>'
        + "".join(
            f'<li><a href="../{page.slug}/#{name}">{escape(words)}</a></li>'
            for _, name, words in page.headings
        )
        + "</ul>"
        for page in pages
    )
    return (
        _head("All headings", "../", assets)
        + _frame(pages, "contents", "../")
        + f'<main id="main" tabindex="-1"><h1 tabindex="-1">All headings</h1>'
        f'<div class="prose">{sections}</div></main></div></body></html>\n'
    )


def _index(pages: list[Page]) -> list[dict[str, str]]:
    """The search's index: the sections of all pages, as plain words."""
    found = []
    for page in pages:
        parts = re.split(r'<h[23] id="([^"]+)">', page.body)
        found.append(_entry(page, "", page.title, parts[0]))
        names = {name: words for _, name, words in page.headings}
        for name, html in zip(parts[1::2], parts[2::2], strict=True):
            found.append(_entry(page, name, names.get(name, name), html))
        for name in re.findall(r'<dt id="(param-[^"]+)">', page.body):
            if name.count(".") < 2:
                words = name.removeprefix("param-").removeprefix("answer-")
                found.append(_entry(page, name, words, ""))
    return found


def _entry(page: Page, anchor: str, title: str, html: str) -> dict[str, str]:
    text = unescape(re.sub(r"<pre>.*?</pre>", " ", html, flags=re.DOTALL))
    words = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    url = f"{page.slug}/" + (f"#{anchor}" if anchor else "")
    return {"id": url, "page": page.title, "title": title, "text": words[:400]}


def _llms(pages: list[Page]) -> str:
    lines = [
        "# Losi API",
        "",
        "> An OpenAI-compatible API: OpenAI's SDKs with another base URL.",
        "",
    ]
    for group in GROUPS:
        lines += [f"## {group}", ""]
        lines += [
            f"- [{page.title}](/docs/{page.slug}.md): {page.summary}"
            for page in pages
            if page.group == group
        ]
        lines.append("")
    return "\n".join(lines)
