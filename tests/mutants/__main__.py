"""Draw changes at random, run the tests that reach each, report those that no test noticed.

    make mutants                             60 changes, of a new seed
    make mutants SEED=7 DRAW=200             the same 200 each time
    make mutants UNDER=shared/losi/metering  only there

A test reaches a change when coverage saw it on the changed line; a line that only runs at import is
reached by the tests that reach its file. Tests of the file named after the module run first, then
those of its room, then the others; what survives is tried on tests that start processes, where
DynamoDB Local is there. The source is changed in a copy of the repository. Which test reaches which
line is measured once, and kept in `.mutants/` until a file of the source or the tests changes.
`equivalent.toml` lists changes that were judged to change
nothing that anybody sees; they do not count. Exit status 1 when fewer than 95 % are noticed.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import coverage
import pytest

from tests.mutants.operators import Mutant, mutants

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".mutants"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
#: What the documentation shows; any other examples would do as well.
EXAMPLES = "shared/losi/web/examples.py"
TESTS = ("tests/unit", "tests/contract")
#: What survives them is tried on these: whole processes, which coverage by test cannot see into.
PROCESSES = ("tests/e2e/test_front_door_runtime.py", "tests/e2e/test_front_door_chat.py")
#: Tried first on the unchanged source, in the way that every change is.
SOUND = ("tests/unit/metering",)
COVERAGE = ("--cov=shared/losi", "--cov-context=test", "--cov-report=", "--cov-fail-under=0")
WANTED = 0.95
#: Seconds for one stage of tests. A change that makes a test hang counts as noticed.
PATIENCE = 300
VERDICTS = ("survived", "noticed", "hung")
#: The exit status of a process that could not try a change.
CRASHED = 70
#: What tests import and what takes long to import; each trial is forked from a process that has it.
SLOW_IMPORTS = (
    "moto",
    "boto3",
    "hypothesis",
    "fastapi",
    "httpx",
    "uvicorn",
    "aws_lambda_powertools",
)

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
    reached = measured()
    drawn = choose(seed, draw, under)
    print(f"{len(drawn)} changes under {under}, SEED={seed}", flush=True)
    for name in SLOW_IMPORTS:
        importlib.import_module(name)
    workers = max(1, (os.cpu_count() or 2) // 2) if draw > 1 else 1
    noticed = run(drawn, reached, workers)
    return report(noticed)


def measured() -> Reached:
    """Which test runs which line: as measured last, when nothing changed since."""
    WORK.mkdir(exist_ok=True)
    kept = WORK / f"reached-{digest()}.json"
    if not kept.exists():
        kept.write_text(json.dumps(measure()))
    reached: dict[str, dict[str, list[str]]] = json.loads(kept.read_text())
    return {
        file: {int(line): tests for line, tests in lines.items()} for file, lines in reached.items()
    }


def digest() -> str:
    """Of the source and of the tests."""
    seen = hashlib.sha256()
    for name in listed("shared/losi/*.py", "tests/*.py", ":!tests/mutants"):
        seen.update(name.encode() + (ROOT / name).read_bytes())
    return seen.hexdigest()[:16]


def listed(*patterns: str) -> list[str]:
    """Files of the repository, and those that are to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(name for name in names.splitlines() if (ROOT / name).is_file())


def measure() -> Reached:
    """Run all tests once on the unchanged source."""
    data_file = WORK / "coverage"
    print("Measuring which test reaches which line.", flush=True)
    run_pytest("-n", "auto", "--dist", "loadgroup", *COVERAGE, *TESTS, COVERAGE_FILE=str(data_file))
    existing = set(run_pytest("--collect-only", *TESTS).splitlines())
    data = coverage.CoverageData(str(data_file))
    data.read()
    return {
        str(Path(file).relative_to(ROOT)): {
            line: sorted({_test(context, existing) for context in contexts if context})
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }


def run_pytest(*arguments: str, **environment: str) -> str:
    """Its output. Exits with its last lines when a test fails: no change could be judged."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stdout[-3000:]}\nTests fail on the unchanged source.")
    return done.stdout


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
        if path != ROOT / EXAMPLES
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
    verdicts: dict[Site, str] = {}
    trials: dict[int, tuple[Site, Path]] = {}
    waiting = list(reversed(drawn))
    with tempfile.TemporaryDirectory() as scratch:
        folders = [copy_of_the_repository(Path(scratch) / str(n)) for n in range(workers)]
        if passes(SOUND, folders[0]) != pytest.ExitCode.OK:
            raise RuntimeError(f"{SOUND[0]} fails on the unchanged source: no verdict would count.")
        while waiting or trials:
            while waiting and folders:
                site, folder = waiting.pop(), folders.pop()
                work = partial(trial, site, stages(site, reached), folder)
                trials[forked(work)] = (site, folder)
            process, status = os.wait()
            site, folder = trials.pop(process)
            folders.append(folder)
            verdicts[site] = VERDICTS[os.waitstatus_to_exitcode(status)]
            print(f"{verdicts[site]:12} {site}", flush=True)
    return {site: verdicts[site] for site in drawn}


def copy_of_the_repository(folder: Path) -> Path:
    for name in listed():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    if not (modules := folder / "tests" / "node_modules").exists():
        modules.symlink_to(ROOT / "tests" / "node_modules")
    return folder


def stages(site: Site, reached: Reached) -> list[list[str]]:
    """The tests that reach a change: first those named after its module, then those of its room."""
    path = Path(site.file)
    nearest, room = f"/test_{path.stem}", f"/{path.relative_to('shared/losi').parts[0]}/"
    lines = reached.get(site.file, {})
    tests = lines.get(site.mutant.line) or sorted(
        # a line that only an import runs: each test of the room may depend on it
        {test for some in lines.values() for test in some}
        | {test for test in _all(reached) if room in test}
    )
    return [
        [test for test in tests if nearest in test],
        [test for test in tests if nearest not in test and room in test],
        [test for test in tests if nearest not in test and room not in test],
        list(PROCESSES),
    ]


def _all(reached: Reached) -> set[str]:
    return {test for lines in reached.values() for some in lines.values() for test in some}


def forked(work: Callable[[], int]) -> int:
    """The id of a process like this one that ends with what `work` returns."""
    if process := os.fork():
        return process
    status = CRASHED
    try:
        status = work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def trial(site: Site, tests: list[list[str]], folder: Path) -> int:
    """The verdict's place in VERDICTS."""
    source = folder / site.file
    original = source.read_bytes()
    source.write_bytes(site.mutant.apply(original))
    verdict = try_out(tests, folder)
    source.write_bytes(original)
    return VERDICTS.index(verdict)


def try_out(tests: list[list[str]], folder: Path) -> str:
    for some in tests:
        status = passes(some, folder) if some else 0
        if status is None:
            return "hung"
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return "noticed"
    return "survived"


def passes(tests: Sequence[str], folder: Path) -> int | None:
    """pytest's exit status; None when it did not end in time.

    In a process that was forked from this one: what tests import beside our own code, which takes
    seconds, is there already.
    """
    ended, running = os.pipe()  # which the system closes when the process ends
    process = forked(partial(in_the_copy, tests, folder))
    os.close(running)
    with open(ended, "rb", buffering=0) as end:
        in_time, _, _ = select.select([end], [], [], PATIENCE)
    if not in_time:
        os.killpg(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status) if in_time else None


def in_the_copy(tests: Sequence[str], folder: Path) -> int:
    os.setsid()
    os.chdir(folder)
    for number in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path[:] = [str(folder / "shared"), str(folder), *sys.path]
    os.environ["PYTHONPATH"] = f"{folder / 'shared'}:{folder}"
    sys.dont_write_bytecode = True
    arguments = folder / ".mutants-arguments"
    arguments.write_text("\n".join(tests))
    # what is imported already keeps its plain assertions
    quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", *quiet, f"@{arguments}"])


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
