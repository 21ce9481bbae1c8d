"""Bedrock's Converse, by message and block: B10 to B22 and B31 to B34."""

import re
from itertools import pairwise

from tests.strict_upstream import images
from tests.strict_upstream.bedrock import (
    BOOK,
    Refusals,
    blocks,
    blocks_of,
    claude_of,
    family,
    kind,
)
from tests.strict_upstream.rules import Json, Refusal, Request

_MEDIA = ("image", "document", "video")
_DOCUMENTS = {"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"}


def turns(r: Request) -> list[Json]:
    """The messages, neighbours of one role merged as Bedrock does."""
    merged: list[Json] = []
    for message in r.messages:
        if merged and merged[-1]["role"] == message.get("role"):
            merged[-1]["content"] = [*merged[-1]["content"], *blocks_of(message)]
        else:
            merged.append({"role": message.get("role"), "content": blocks_of(message)})
    return merged


def _row(r: Request) -> Json:
    return family(r.model) or {}


@BOOK.refuses("B11")
def how_it_starts(r: Request) -> Refusals:
    wanted = "A conversation must start with a user message. Try again with a conversation that"
    if not r.messages or (_row(r).get("first") and r.messages[0].get("role") != "user"):
        yield Refusal(f"{wanted} starts with a user message.")
    for i, message in enumerate(r.messages):
        if not blocks_of(message):
            yield Refusal(f"The content field in the Message object at messages.{i} is empty.")


@BOOK.refuses("B10")
def blank_text(r: Request) -> Refusals:
    given = [("system", b) for b in r.body.get("system") or ()]
    for where, block in [*given, *blocks(r)]:
        text = block.get("text")
        if isinstance(text, str) and not text:
            yield Refusal(f"{where}: text content blocks must be non-empty")
        if isinstance(text, str) and not text.strip():
            yield Refusal(f"{where}: text content blocks must contain non-whitespace text")


def documents(r: Request) -> list[Json]:
    return [block["document"] for _, block in blocks(r) if "document" in block]


@BOOK.refuses("B13")
def document_alone(r: Request) -> Refusals:
    for turn in turns(r):
        kinds = {kind(block) for block in turn["content"]}
        if "document" in kinds and "text" not in kinds:
            yield Refusal("A text block must be included when using documents.")


@BOOK.refuses("B14")
def document_names_twice(r: Request) -> Refusals:
    names = [document["name"] for document in documents(r)]
    if len(names) != len(set(names)):
        yield Refusal("Messages can't contain duplicate document names.")


@BOOK.refuses("B15")
def too_many_documents(r: Request) -> Refusals:
    if len(documents(r)) > 5:
        yield Refusal("You can't include more than 5 documents in a request.")


@BOOK.refuses("B16")
def bounds_of_documents(r: Request) -> Refusals:
    for document in documents(r):
        name = document["name"]
        if not re.fullmatch(r"[a-zA-Z0-9\-()\[\]]+( [a-zA-Z0-9\-()\[\]]+)*", name):
            yield Refusal(
                "The document file name can only contain alphanumeric characters, whitespace "
                "characters, hyphens, parentheses, and square brackets. The name can't contain "
                "more than one consecutive whitespace character."
            )
        if len(name) > 200:
            yield Refusal("document.name: Member must have length less than or equal to 200")
        if document.get("format") not in _DOCUMENTS:
            yield Refusal("document.format: Member must be one of pdf, csv, doc, docx, xls, xlsx")
        if len(images.decoded(document["source"].get("bytes", "")) or b"") > 4_718_592:
            yield Refusal("document: the size exceeds 4.5 MB")


@BOOK.refuses("B17")
def bounds_of_images(r: Request) -> Refusals:
    found = [block["image"] for _, block in blocks(r) if "image" in block]
    if len(found) > 20:
        yield Refusal("You can't include more than 20 images in a request.")
    for image in found:
        data = images.decoded(image.get("source", {}).get("bytes", "")) or b""
        actual = (images.media_type(data) or "").removeprefix("image/")
        if image.get("format") not in ("png", "jpeg", "gif", "webp"):
            yield Refusal("image.format: Member must be one of png, jpeg, gif, webp")
        if "url" in image.get("source", {}) or image.get("format") != actual:
            yield Refusal("Could not process image")
        if len(data) > 3_932_160 or max(images.size(data)) > 8000:
            yield Refusal("image exceeds the maximum of 3.75 MB or 8000 pixels a side")
    for message in r.messages:
        media = any(kind(block) in _MEDIA for block in blocks_of(message))
        if message.get("role") == "assistant" and media:
            yield Refusal("An assistant message takes no image or document.")


@BOOK.refuses("B19")
def document_beside_result(r: Request) -> Refusals:
    for turn in turns(r):
        kinds = {kind(block) for block in turn["content"]}
        if claude_of(r) and "toolResult" in kinds and kinds & {"document", "video"}:
            yield Refusal("A document cannot stand beside a toolResult in one user turn.")


@BOOK.refuses("B20")
def beside_and_inside_results(r: Request) -> Refusals:
    row = _row(r)
    for turn in turns(r):
        kinds = {kind(block) for block in turn["content"]}
        if row.get("mixed") is False and "toolResult" in kinds and len(kinds) > 1:
            yield Refusal("This model takes nothing beside a toolResult.")
        for block in turn["content"]:
            result = block.get("toolResult") or {}
            inside = {kind(one) for one in result.get("content") or ()}
            if row.get("media") is False and inside & set(_MEDIA):
                yield Refusal("This model takes no media inside a toolResult.")
            if row.get("documents") is False and "document" in inside:
                yield Refusal("This model takes no documents inside a toolResult.")
            if row.get("status") is False and "status" in result:
                yield Refusal("This model doesn't support the status field.")


@BOOK.refuses("B21")
def empty_results(r: Request) -> Refusals:
    for _, block in blocks(r):
        result, use = block.get("toolResult"), block.get("toolUse")
        if result is not None and not result.get("content"):
            yield Refusal("toolResult.content cannot be empty when status value is error")
        if use is not None and not isinstance(use.get("input"), dict):
            yield Refusal(
                "The format of the value at toolUse.input is invalid. Provide a json object"
            )


def _ids(turn: Json, name: str) -> list[str]:
    return [block[name]["toolUseId"] for block in turn["content"] if name in block]


@BOOK.refuses("B22")
def pairing(r: Request) -> Refusals:
    found = turns(r)
    for turn, after in zip(found, [*found[1:], {"content": []}], strict=True):
        uses, results = _ids(turn, "toolUse"), _ids(turn, "toolResult")
        if len(uses) != len(set(uses)) or len(results) != len(set(results)):
            yield Refusal("messages: `tool_use` ids must be unique")
        if set(uses) - set(_ids(after, "toolResult")):
            missing = ", ".join(sorted(set(uses) - set(_ids(after, "toolResult"))))
            yield Refusal(f"Expected toolResult blocks for the following Ids: {missing}")
        kinds = [kind(block) for block in turn["content"] if kind(block) != "cachePoint"]
        if "toolUse" in kinds and set(kinds[kinds.index("toolUse") :]) != {"toolUse"}:
            yield Refusal("messages: only toolUse blocks may follow a toolUse block")
    for before, turn in zip([{"content": []}, *found], found, strict=False):
        if set(_ids(turn, "toolResult")) - set(_ids(before, "toolUse")):
            yield Refusal(
                "The number of toolResult blocks exceeds the number of toolUse blocks of previous "
                "turn."
            )


@BOOK.refuses("B31")
def cache_points(r: Request) -> Refusals:
    caches = claude_of(r) is not None or _row(r).get("cache")
    tools = (r.body.get("toolConfig") or {}).get("tools") or []
    lists = [tools, r.body.get("system") or [], *(blocks_of(m) for m in r.messages)]
    lifetimes = [
        b["cachePoint"].get("ttl", "5m") for some in lists for b in some if "cachePoint" in b
    ]
    if lifetimes and not caches:
        yield Refusal("This model doesn't support the cachePoint field.")
    if len(lifetimes) > 4:
        yield Refusal("You can't include more than 4 cachePoint blocks in a request.")
    if lifetimes != sorted(lifetimes):  # 1h before 5m
        yield Refusal("a ttl='1h' cachePoint must not come after a ttl='5m' one")
    for some in lists:
        kinds = ["", *(kind(block) for block in some)]
        for before, here in pairwise(kinds):
            if here == "cachePoint" and before in ("", "cachePoint"):
                yield Refusal("A cachePoint must follow a block that it can mark.")
    for message in r.messages:
        for block, following in pairwise(blocks_of(message)):
            form = (block.get("document") or {}).get("format")
            if kind(following) == "cachePoint" and form in _DOCUMENTS - {"pdf"}:
                yield Refusal("A cachePoint must not follow a document of text.")


@BOOK.refuses("B32")
def citations(r: Request) -> Refusals:
    for document in documents(r):
        cited = (document.get("citations") or {}).get("enabled")
        if cited and (claude_of(r) is None or "s3Location" in document["source"]):
            yield Refusal("This model doesn't support citations on this document.")


@BOOK.refuses("B34")
def pages(r: Request) -> Refusals:
    count = 0
    for document in documents(r):
        data = images.decoded(document["source"].get("bytes", "")) or b""
        count += len(re.findall(rb"/Type\s*/Page\b", data))
    if claude_of(r) and count > 100:
        yield Refusal("A maximum of 100 PDF pages may be provided.")
