"""`make security`: secrets in what git tracks, and known holes in what is shipped.

Both scanners live in .venv-security, apart from what the project runs on. The rules of bandit are
ruff's `S`, part of `make lint`; the template's are tests/integration/test_template*.py and
SAM's own linter (docs/security.md says why not checkov).
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCANNERS = Path(".venv-security") / "bin"
#: What the layer and sign-in's function ship.
SHIPPED = ("shared/layer/requirements.txt", "functions/sign_in/requirements.txt")
#: Detectors of secrets by how they look. Those that guess by entropy or by the name of a variable
#: find hashes and test data here, hundreds of them, and no secret.
GUESSING = ("Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector")


def secrets_in(paths: list[str], root: Path = ROOT) -> list[str]:
    """`path:line: kind` of everything that looks like a secret."""
    without = [argument for name in GUESSING for argument in ("--disable-plugin", name)]
    command = [str(ROOT / SCANNERS / "detect-secrets"), "scan", *without, *paths]
    found = json.loads(_output(command, root))["results"]
    return [
        f"{row['filename']}:{row['line_number']}: {row['type']}" for row in chain(*found.values())
    ]


def known_holes(requirements: str) -> tuple[list[str], list[str]]:
    """Packages with a known hole, and those that pip-audit has no data for (no way to PyPI)."""
    command = [
        *(str(ROOT / SCANNERS / "pip-audit"), "--disable-pip", "--no-deps"),
        *("--progress-spinner", "off", "--format", "json", "--requirement", requirements),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        return [], [f"{requirements}: {done.stderr.strip().splitlines()[-1]}"]
    rows: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    holes = [
        f"{row['name']} {row['version']}: {hole['id']}, mended in {hole['fix_versions']}"
        for row in rows
        for hole in row.get("vulns", [])
    ]
    return holes, [row["name"] for row in rows if "skip_reason" in row]


def _output(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def main() -> int:
    found = secrets_in(_output(["git", "ls-files"], ROOT).splitlines())
    print(f"Secrets in the repository: {len(found)}", *found, sep="\n  ")
    for requirements in SHIPPED:
        holes, unknown = known_holes(requirements)
        print(f"Known holes in {requirements}: {len(holes)}", *holes, sep="\n  ")
        if unknown:
            print(f"  skipped, as PyPI's data cannot be reached from here: {', '.join(unknown)}")
        found += holes
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
