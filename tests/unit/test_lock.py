"""The layer's hashes, and the pins that they are of."""

from __future__ import annotations

import re

from local.lock import LOCK, PINS, lock, pins

ONE, OTHER = "a" * 64, "b" * 64


def test_what_the_layer_installs_is_what_is_pinned() -> None:
    assert pins(LOCK.read_text()) == pins(PINS.read_text()), "run `make lock`"


def test_everything_has_a_hash_and_compiled_packages_one_for_each_architecture() -> None:
    entries = re.split(r"\n(?=\w)", LOCK.read_text())[0:]
    counts = {
        entry.split("==")[0]: entry.count("--hash=sha256:") for entry in entries if "==" in entry
    }

    assert len(counts) == len(pins(PINS.read_text()))
    assert {name for name, count in counts.items() if count == 2} == {
        "httptools",
        "orjson",
        "pydantic_core",
    }
    assert set(counts.values()) == {1, 2}


def test_a_package_is_found_under_any_spelling_of_its_name() -> None:
    text = lock(["typing_extensions==1.0"], [{"typing-extensions==1.0": ONE}])

    assert text.endswith(f"typing_extensions==1.0 \\\n    --hash=sha256:{ONE}\n")


def test_wheels_that_differ_by_architecture_have_both_hashes() -> None:
    text = lock(["orjson==1.0"], [{"orjson==1.0": OTHER}, {"orjson==1.0": ONE}])

    assert text.endswith(f"orjson==1.0 \\\n    --hash=sha256:{ONE} \\\n    --hash=sha256:{OTHER}\n")
