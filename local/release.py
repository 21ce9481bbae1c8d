"""`make release-notes` and `make sbom`: what a release says of itself, and what is in it.

A release is a tag `v` + the version of losi/__init__.py, whose entry in CHANGELOG.md has a day
(CONTRIBUTING.md). .github/workflows/release.yml calls both.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from losi import __version__

ROOT = Path(__file__).resolve().parent.parent
CHANGELOG = ROOT / "CHANGELOG.md"
#: What the layer and sign-in's function ship, with hashes.
SHIPPED = ("shared/layer/requirements.txt", "functions/sign_in/requirements.txt")

_PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^\s\\]+)(?P<rest>(?:[^\n]*\\\n)*[^\n]*)",
    re.MULTILINE,
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_ENTRY = re.compile(r"^## (?P<version>\d+\.\d+\.\d+)(?: \((?P<day>[^)]+)\))?$", re.MULTILINE)


class NotReadyError(Exception):
    """Says what has to be done before this version can be released."""


def notes(changelog: str, tag: str, version: str = __version__) -> str:
    """The changelog's entry for the tag, without its heading. Raises NotReadyError."""
    if tag != f"v{version}":
        raise NotReadyError(f"The tag is {tag}, the version of losi/__init__.py is {version}.")
    entries = list(_ENTRY.finditer(changelog))
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        if entry["version"] == version:
            _check_day(entry)
            text = changelog[entry.end() : following.start() if following else None].strip()
            if text:
                return text + "\n"
    raise NotReadyError(f"CHANGELOG.md says nothing of {version}.")


def _check_day(entry: re.Match[str]) -> None:
    try:
        date.fromisoformat(entry["day"] or "")
    except ValueError:
        raise NotReadyError(
            f"The entry of {entry['version']} in CHANGELOG.md has no day: end its heading with "
            "the day of the release, such as (2026-12-01)."
        ) from None


def sbom(requirements: Iterable[str], version: str = __version__) -> dict[str, Any]:
    """A CycloneDX document of these files of pins: https://cyclonedx.org/docs/1.6/json/

    A package of our own pins has the hash of each wheel that may be installed.
    """
    parts = {part["purl"]: part for text in requirements for part in _parts(text)}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "losi", "version": version},
        },
        "components": [part for _, part in sorted(parts.items())],
    }


def _parts(text: str) -> Iterator[dict[str, Any]]:
    for pin in _PIN.finditer(text):
        purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', pin['name']).lower()}@{pin['version']}"
        part: dict[str, Any] = {"type": "library", "bom-ref": purl, "purl": purl}
        part |= {"name": pin["name"], "version": pin["version"]}
        if hashes := _HASH.findall(pin["rest"]):
            part["externalReferences"] = [
                {
                    "type": "distribution",
                    "url": f"https://pypi.org/project/{pin['name']}/{pin['version']}/",
                    "hashes": [{"alg": "SHA-256", "content": each} for each in hashes],
                }
            ]
        yield part


def main(command: str, tag: str = f"v{__version__}") -> int:
    if command == "sbom":
        print(json.dumps(sbom((ROOT / each).read_text() for each in SHIPPED), indent=2))
        return 0
    try:
        print(notes(CHANGELOG.read_text(), tag), end="")
    except NotReadyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
