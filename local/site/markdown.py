"""Markdown to HTML for the docs: anchors on headings, highlighted code, samples in tabs."""

import re
from dataclasses import dataclass, field
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

BASE_URL = "https://losi.ai/api/v1"
PLACEHOLDER = "losi-your-api-key"
LANGUAGES = {"sh": "curl", "python": "Python", "javascript": "JavaScript", "json": "JSON"}

_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")
_RENDERER = RendererHTML(_PARSER)


@dataclass
class Rendered:
    html: str = ""
    #: (level, id, text) of each heading below the first.
    headings: list[tuple[int, str, str]] = field(default_factory=list)


def render(text: str) -> Rendered:
    """Render a page without its first heading, which the frame shows."""
    tokens = _PARSER.parse(text)
    result, position, seen = Rendered(), 0, set[str]()
    parts: list[str] = []
    while position < len(tokens):
        token = tokens[position]
        if token.type == "heading_open" and token.tag == "h1":
            position += 3
        elif token.type == "heading_open":
            words = plain(tokens[position + 1])
            name = unique(slug(words), seen)
            result.headings.append((int(token.tag[1]), name, words))
            inner = _inline(tokens[position + 1])
            parts.append(heading(token.tag, name, inner))
            position += 3
        elif token.type == "fence":
            group = [token]
            while _is_tab(token) and position + 1 < len(tokens) and _is_tab(tokens[position + 1]):
                position += 1
                group.append(tokens[position])
            parts.append(_code(group))
            position += 1
        elif token.type == "table_open":
            end = next(i for i in range(position, len(tokens)) if tokens[i].type == "table_close")
            table = _RENDERER.render(tokens[position : end + 1], _PARSER.options, {})
            # the page's policy refuses styles in attributes
            table = table.replace(' style="text-align:right"', ' class="n"')
            name = f"Table {len(parts)}"
            region = f'<div class="wide" tabindex="0" role="region" aria-label="{name}">'
            parts.append(f"{region}{table}</div>")
            position = end + 1
        else:
            parts.append(_RENDERER.render([token], _PARSER.options, {}))
            position += 1
    result.html = "".join(parts)
    return result


def heading(tag: str, name: str, inner: str) -> str:
    return (
        f'<{tag} id="{name}">{inner} <a class="anchor" href="#{name}">#'
        f'<span class="hide"> Link to {re.sub("<[^>]+>", "", inner)}</span></a></{tag}>'
    )


def code(text: str, language: str, label: str = "") -> str:
    """One block of code with its button."""
    shown = label or LANGUAGES.get(language, language)
    return (
        f'<figure class="code"><div class="bar"><span class="lang">{escape(shown)}</span>'
        f'<button type="button" class="button quiet small" data-copy hidden>Copy</button></div>'
        f"<pre><code>{highlighted(text, language)}</code></pre></figure>"
    )


def tabs(samples: list[tuple[str, str]]) -> str:
    """One sample in several languages: (language, text). Without script all of them are shown."""
    panels = "".join(
        f'<section data-language="{_tab_name(language)}"><p class="lang">{LANGUAGES[language]}</p>'
        f"<pre><code>{highlighted(text, language)}</code></pre></section>"
        for language, text in samples
    )
    return f'<figure class="code samples">{panels}</figure>'


def highlighted(text: str, language: str) -> str:
    """Pygments' classes; the base URL and the key can be filled in with the reader's own."""
    try:
        lexer = get_lexer_by_name("bash" if language == "sh" else language, stripnl=False)
        html = highlight(text, lexer, HtmlFormatter(nowrap=True))
    except ClassNotFound:
        html = escape(text)
    html = str(html).rstrip("\n").replace(BASE_URL, f"<span data-base>{BASE_URL}</span>")
    return html.replace(PLACEHOLDER, f'<span class="slot" data-key>{PLACEHOLDER}</span>')


def slug(words: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", "-", words.lower()).strip("-") or "section"


def unique(name: str, seen: set[str]) -> str:
    candidate, number = name, 2
    while candidate in seen:
        candidate, number = f"{name}-{number}", number + 1
    seen.add(candidate)
    return candidate


def plain(token: Token) -> str:
    children = token.children or []
    return "".join(each.content for each in children if each.type in ("text", "code_inline"))


def _inline(token: Token) -> str:
    return str(_RENDERER.renderInline(token.children or [], _PARSER.options, {}))


def _is_tab(token: Token) -> bool:
    return token.type == "fence" and token.info.endswith(" tab")


def _tab_name(language: str) -> str:
    return "curl" if language == "sh" else language


def _code(group: list[Token]) -> str:
    if _is_tab(group[0]):
        return tabs([(each.info.split()[0], each.content) for each in group])
    return code(group[0].content, group[0].info.split()[0] if group[0].info else "text")
