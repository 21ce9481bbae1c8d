"""Anthropic's Messages: images and documents, A65 to A69."""

import base64
import re

from tests.strict_upstream import images
from tests.strict_upstream.claude import BOOK, Refusals, model_of
from tests.strict_upstream.claude_messages import placed
from tests.strict_upstream.rules import Json, Refusal, Request


def image_data(r: Request) -> list[tuple[str, Json, bytes]]:
    """Images sent as base64: where, their source, their bytes."""
    return [
        (where, b["source"], images.decoded(str(b["source"].get("data"))) or b"")
        for where, b in placed(r)
        if b.get("type") == "image" and b["source"].get("type") == "base64"
    ]


@BOOK.refuses("A65")
def kind_of_image(r: Request) -> Refusals:
    for where, source, data in image_data(r):
        label, kind = source.get("media_type"), images.media_type(data)
        if label not in ("image/jpeg", "image/png", "image/gif", "image/webp") or kind is None:
            yield Refusal(
                f"{where}.image.source.base64.media_type: Input should be 'image/jpeg', "
                "'image/png', 'image/gif' or 'image/webp'"
            )
        elif label != kind:
            yield Refusal(
                f"{where}.image.source.base64: The image was specified using the {label} media "
                f"type, but the image appears to be a {kind} image"
            )


@BOOK.refuses("A66")
def size_of_image(r: Request) -> Refusals:
    found = image_data(r)
    for _, source, data in found:
        side = max(images.size(data))
        said = "At least one of the image dimensions exceed max allowed size"
        if side > 8000:
            yield Refusal(f"{said}: 8000 pixels")
        if side > 2000 and len(found) > 20:
            yield Refusal(f"{said} for many-image requests: 2000 pixels")
        if len(source["data"]) > 10_000_000:
            yield Refusal("image exceeds 10 MB maximum")


@BOOK.refuses("A67")
def number_of_images(r: Request) -> Refusals:
    most = 100 if model_of(r).row["window"] <= 200_000 else 600
    count = sum(block.get("type") == "image" for _, block in placed(r))
    if count > most:
        yield Refusal(f"Too many images: {count} > {most}")


def pages(block: Json) -> int:
    """Pages of a PDF, as far as they stand in the open in it."""
    source = block.get("source") or {}
    if source.get("media_type") != "application/pdf":
        return 0
    data = base64.b64decode(source.get("data") or "")
    return len(re.findall(rb"/Type\s*/Page\b", data))


@BOOK.refuses("A69")
def pages_of_documents(r: Request) -> Refusals:
    most = 100 if model_of(r).row["window"] <= 200_000 else 600
    found = [(where, pages(b)) for where, b in placed(r) if b.get("type") == "document"]
    if sum(count for _, count in found) > most:
        yield Refusal(
            f"{found[0][0]}.pdf.source.base64.data: A maximum of {most} PDF pages may be provided."
        )
