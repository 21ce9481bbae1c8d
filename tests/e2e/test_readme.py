"""What the README and docs/keys.md tell to paste works as pasted, against `make run`."""

import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.server import ROOT, Server


def blocks(page: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


BLOCKS = blocks("README.md")
#: The blocks that are about the running server, between starting it and the tests.
PASTED = BLOCKS[BLOCKS.index("make run\n") + 1 : BLOCKS.index("make test\n")]


def paste(server: Server, pasted: list[str]) -> subprocess.CompletedProcess[str]:
    """Blocks in one shell, in the folder where the server keeps `.losi/`."""
    virtual_environment = server.folder / ".venv"
    if not virtual_environment.exists():
        virtual_environment.symlink_to(Path(sys.prefix))
    return subprocess.run(
        ["sh", "-e"],
        input="\n".join(pasted),
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_its_blocks_can_be_pasted_into_a_shell(server: Server) -> None:
    ran = paste(server, PASTED)

    assert ran.returncode == 0, ran.stderr
    assert 'You said: \\"Hello, world!\\"' in ran.stdout
    assert 'You said: "Tell me a story".' in ran.stdout
    assert '"name":"My New API Key"' in ran.stdout
    assert '"name":"Renamed"' in ran.stdout
    assert '{"success":true}' in ran.stdout
    assert "it does not exist or was deleted" in ran.stdout
    assert "Ada Lovelace" in ran.stdout
    assert "day,model,total_requests" in ran.stdout


def test_the_examples_of_the_keys_page_continue_each_other(server: Server) -> None:
    ran = paste(server, [". .losi/demo.env\n", *blocks("docs/keys.md")])

    assert ran.returncode == 0, ran.stderr
    assert '"expires_at":"2030-12-31T23:59:59Z"' in ran.stdout
    assert '"is_enabled":false' in ran.stdout
    assert '"old_key_expires_at"' in ran.stdout
    assert '"error"' not in ran.stdout


def test_every_page_it_links_to_is_there() -> None:
    # the guides link to pages as they are served: tests/browser follows those
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("docs/decisions/*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{page.name} links to {link}"
