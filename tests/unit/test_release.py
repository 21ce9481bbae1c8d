"""What a release says of itself: notes cut from the changelog, a list of what it ships."""

from __future__ import annotations

import re

import pytest

from local.release import CHANGELOG, ROOT, SHIPPED, NotReadyError, main, notes, sbom
from losi import __version__

CHANGES = """# Changelog

## 1.2.0 (2026-12-01)

### Added
- One thing.

## 1.1.0

- Another.
"""


class TestNotes:
    def test_are_the_entry_of_the_version_and_nothing_else(self) -> None:
        assert notes(CHANGES, "v1.2.0", "1.2.0") == "### Added\n- One thing.\n"

    @pytest.mark.parametrize(
        ("tag", "version", "changes", "says"),
        [
            ("v1.3.0", "1.2.0", CHANGES, "The tag is v1.3.0, the version of .* is 1.2.0"),
            ("1.2.0", "1.2.0", CHANGES, "The tag is 1.2.0"),
            ("v1.3.0", "1.3.0", CHANGES, "says nothing of 1.3.0"),
            ("v1.1.0", "1.1.0", CHANGES, "has no day"),
            ("v1.2.0", "1.2.0", CHANGES.replace("2026-12-01", "unreleased"), "has no day"),
            ("v1.2.0", "1.2.0", "## 1.2.0 (2026-12-01)\n", "says nothing of 1.2.0"),
        ],
    )
    def test_what_is_not_ready_is_refused(
        self, tag: str, version: str, changes: str, says: str
    ) -> None:
        with pytest.raises(NotReadyError, match=says):
            notes(changes, tag, version)

    def test_the_changelog_of_this_version_can_be_cut_once_it_has_a_day(self) -> None:
        dated = CHANGELOG.read_text().replace("(unreleased)", "(2026-12-01)")

        assert notes(dated, f"v{__version__}").startswith("### Added\n")

    def test_a_refusal_is_one_line_and_no_traceback(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main("notes", "v0.0.0") == 1
        assert capsys.readouterr().err.count("\n") == 1


class TestWhatIsShipped:
    def test_names_each_package_once_by_version_and_hash(self) -> None:
        text = "# pins\none==1.0 \\\n    --hash=sha256:" + "a" * 64 + "\nTwo_Words==2.0\none==1.0\n"

        one, two = sbom([text, "Two_Words==2.0"], "1.2.0")["components"]

        assert (one["purl"], two["purl"]) == ("pkg:pypi/one@1.0", "pkg:pypi/two-words@2.0")

    def test_has_a_hash_where_the_pins_have_one(self) -> None:
        (one,) = sbom(["one==1.0 \\\n    --hash=sha256:" + "a" * 64 + "\n"])["components"]
        (reference,) = one["externalReferences"]

        assert reference["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]

    def test_is_all_that_the_layer_and_sign_in_install(self) -> None:
        texts = [(ROOT / path).read_text() for path in SHIPPED]
        pinned = {name for text in texts for name in re.findall(r"^(\S+)==", text, re.MULTILINE)}

        made = sbom(texts)

        assert {part["name"] for part in made["components"]} == pinned
        assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
        assert made["metadata"]["component"]["version"] == __version__


def test_the_workflow_that_releases_calls_what_is_tested_here() -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()

    for target in ("make release-notes", "make sbom", "make deploy-check", "id-token: write"):
        assert target in workflow
    assert not re.search(r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY)", workflow)
