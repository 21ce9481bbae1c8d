"""`make lock`: the layer's wheels with their hashes, from the pins of shared/requirements.txt.

The pins stay in a file without hashes: setuptools reads them too, which knows no hashes, and pip
would want hashes for all that `make run` installs, the editable package included.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

SHARED = Path(__file__).resolve().parent.parent / "shared"
PINS, LOCK = SHARED / "requirements.txt", SHARED / "layer" / "requirements.txt"
MACHINES = ("aarch64", "x86_64")
HEAD = """\
# Written by `make lock` from ../requirements.txt: the wheels of the layer for both architectures.
# pip installs nothing else into it (--require-hashes in layer.mk).
"""


def pins(text: str) -> list[str]:
    """`name==version` of each line, in their order."""
    return re.findall(r"^[A-Za-z0-9_.-]+==[^\s\\]+", text, re.MULTILINE)


def wheel_hashes(machine: str) -> dict[str, str]:
    """`name==version` -> SHA-256 of the wheel that pip chooses for Lambda's Python there."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"),
            *("--dry-run", "--ignore-installed", "--no-deps", "--target", "unused"),
            *("--report", "-"),
            *("--only-binary=:all:", "--implementation", "cp", "--python-version", "3.13"),
            *("--platform", f"manylinux2014_{machine}", "--platform", f"manylinux_2_28_{machine}"),
            *("--requirement", str(PINS)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    chosen = json.loads(done.stdout)["install"]
    return {
        _normal(f"{row['metadata']['name']}=={row['metadata']['version']}"): row["download_info"][
            "archive_info"
        ]["hashes"]["sha256"]
        for row in chosen
    }


def _normal(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


def lock(pinned: Iterable[str], hashes: Iterable[dict[str, str]]) -> str:
    known = list(hashes)
    text = HEAD
    for pin in pinned:
        digests = sorted({of_machine[_normal(pin)] for of_machine in known})
        text += " \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in digests)]) + "\n"
    return text


if __name__ == "__main__":
    LOCK.write_text(lock(pins(PINS.read_text()), map(wheel_hashes, MACHINES)))
