"""A folder of operator's files, and what the loader says of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from losi.catalogue.loader import CatalogueError, load
from tests.catalogue import FOLDER


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    return folder


@pytest.fixture
def mistakes(config: Path) -> Callable[..., list[str]]:
    """What is wrong with files of these texts over the tests' catalogue."""

    def written(**texts: str) -> list[str]:
        for name, text in texts.items():
            (config / f"{name}.toml").write_text(text)
        with pytest.raises(CatalogueError) as caught:
            load(FOLDER, config)
        return caught.value.mistakes

    return written
