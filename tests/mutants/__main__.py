"""Draw changes at random, run the tests that reach each, report those that no test noticed.

    make mutants                             60 changes, of a new seed
    make mutants SEED=7 DRAW=200             the same 200 each time
    make mutants UNDER=shared/losi/metering  only there

A test reaches a change when coverage saw it on the changed line; a line that only runs at import is
reached by the tests that reach its file. Tests of the file named after the module run first; what
survives is tried on tests that start processes, where DynamoDB Local is there. The source is
changed in a copy of the repository. `equivalent.toml` lists changes that were judged to change
nothing that anybody sees; they do not count. Exit status 1 when fewer than 95 % are noticed.
"""

from __future__ import annotations

import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import coverage

from tests.mutants.operators import Mutant, mutants

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".mutants"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
TESTS = ("tests/unit", "tests/contract")
#: What survives them is tried on these: whole processes, which coverage by test cannot see into.
PROCESSES = ("tests/e2e/test_front_door_runtime.py", "tests/e2e/test_front_door_chat.py")
COVERAGE = ("--cov=shared/losi", "--cov-context=test", "--cov-report=", "--cov-fail-under=0")
WANTED = 0.95
#: Seconds for all tests of one change. One that makes a test hang counts as noticed.
PATIENCE = 600

#: File -> line -> the tests that run it.
Reached = dict[str, dict[int, list[str]]]


@dataclass(frozen=True)
class Site:
    file: str
    mutant: Mutant

    def __str__(self) -> str:
        return f"{self.file}:{self.mutant.line}  {self.mutant.code}  [{self.mutant.change}]"


def main() -> int:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10_000))
    draw = int(os.environ.get("DRAW") or 60)
    under = os.environ.get("UNDER") or "shared/losi"
    reached = measure()
    drawn = choose(seed, draw, under)
    print(f"{len(drawn)} changes under {under}, SEED={seed}", flush=True)
    workers = max(1, (os.cpu_count() or 2) // 2) if draw > 1 else 1
    noticed = run(drawn, reached, workers)
    return report(noticed)


def measure() -> Reached:
    """Run all tests once on the unchanged source; which test runs which line."""
    WORK.mkdir(exist_ok=True)
    data_file = WORK / "coverage"
    print("Measuring which test reaches which line.", flush=True)
    pytest("-n", "auto", "--dist", "loadgroup", *COVERAGE, *TESTS, COVERAGE_FILE=str(data_file))
    existing = set(pytest("--collect-only", *TESTS).splitlines())
    data = coverage.CoverageData(str(data_file))
    data.read()
    return {
        str(Path(file).relative_to(ROOT)): {
            line: sorted({_test(context, existing) for context in contexts if context})
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }


def pytest(*arguments: str, **environment: str) -> str:
    """Its output; raises CalledProcessError when a test fails."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def _test(context: str, existing: set[str]) -> str:
    """`tests/unit/test_x.py::test_y@group|run`, as coverage has it, without what was added.

    Where that is not a test's name (odd characters in its parameters), its whole file.
    """
    name = context.rpartition("|")[0]
    if name not in existing:
        name = name.rpartition("@")[0]
    return name if name in existing else name.partition("::")[0]


def choose(seed: int, draw: int, under: str) -> list[Site]:
    known = equivalents()
    everything = [
        Site(str(path.relative_to(ROOT)), mutant)
        for path in sorted(
            (ROOT / under).rglob("*.py") if (ROOT / under).is_dir() else [ROOT / under]
        )
        for mutant in mutants(path.read_text())
    ]
    candidates = [site for site in everything if not _is_listed(site, known)]
    listed = len(everything) - len(candidates)
    print(f"{len(everything)} changes are possible; {listed} are listed as equivalent")
    return random.Random(seed).sample(candidates, min(draw, len(candidates)))


def equivalents() -> list[dict[str, str]]:
    entries: list[dict[str, str]] = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    return entries


def _is_listed(site: Site, known: list[dict[str, str]]) -> bool:
    return any(
        (site.file, site.mutant.code, site.mutant.change)
        == (entry["file"], entry["code"], entry["change"])
        for entry in known
    )


def run(drawn: list[Site], reached: Reached, workers: int) -> dict[Site, str]:
    """What became of each change: "noticed", "hung" or "survived"."""
    folders: queue.Queue[Path] = queue.Queue()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(workers):
            folders.put(copy_of_the_repository(Path(scratch) / str(number)))

        def one(site: Site) -> str:
            folder = folders.get()
            try:
                verdict = try_out(site, tests_for(site, reached), folder)
            finally:
                folders.put(folder)
            print(f"{verdict:12} {site}", flush=True)
            return verdict

        with ThreadPoolExecutor(workers) as pool:
            return dict(zip(drawn, pool.map(one, drawn), strict=True))


def copy_of_the_repository(folder: Path) -> Path:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in files.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    if not (modules := folder / "tests" / "node_modules").exists():
        modules.symlink_to(ROOT / "tests" / "node_modules")
    return folder


def tests_for(site: Site, reached: Reached) -> list[str]:
    lines = reached.get(site.file, {})
    of_file = {test for tests in lines.values() for test in tests}
    nearest = f"test_{Path(site.file).stem}"
    return sorted(
        lines.get(site.mutant.line) or of_file, key=lambda test: (nearest not in test, test)
    )


def try_out(site: Site, tests: list[str], folder: Path) -> str:
    original = (ROOT / site.file).read_bytes()
    (folder / site.file).write_bytes(site.mutant.apply(original))
    try:
        passes = all(passing(some, folder) for some in (tests, PROCESSES) if some)
    except subprocess.TimeoutExpired:
        return "hung"
    finally:
        (folder / site.file).write_bytes(original)
    return "survived" if passes else "noticed"


def passing(tests: Sequence[str], folder: Path) -> bool:
    arguments = folder / ".mutants-arguments"
    arguments.write_text("\n".join(tests))
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"@{arguments}"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{folder / 'shared'}:{folder}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        timeout=PATIENCE,
    )
    return ran.returncode == 0


def report(verdicts: dict[Site, str]) -> int:
    modules = sorted({site.file for site in verdicts})
    print("\n| module | changes | noticed |\n|-|-|-|")
    for module in modules:
        of_it = [verdict for site, verdict in verdicts.items() if site.file == module]
        print(f"| {module} | {len(of_it)} | {sum(map(is_noticed, of_it))} |")
    noticed = sum(map(is_noticed, verdicts.values()))
    score = noticed / len(verdicts) if verdicts else 1.0
    print(f"| all | {len(verdicts)} | {noticed} ({score:.1%}) |\n")
    for site, verdict in verdicts.items():
        if not is_noticed(verdict):
            print(f"{verdict}: {site}")
    if score < WANTED:
        print(f"\nFewer than {WANTED:.0%}: write the missing test, or list in equivalent.toml why")
        print("a change cannot be seen from outside.")
    return int(score < WANTED)


def is_noticed(verdict: str) -> bool:
    return verdict in ("noticed", "hung")


if __name__ == "__main__":
    sys.exit(main())
