"""Which app a function's handler setting leads to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mangum import Mangum

from losi.aws.runtime.loop import load_app
from tests.lambda_process import event_loop


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A function's own folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("losi_task", "losi_folder", "losi_folder.losi_task"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


APP = "async def app(scope, receive, send): ..."


def test_an_app_is_named_by_module_and_attribute(task: Path) -> None:
    (task / "losi_task.py").write_text(APP)

    assert load_app("losi_task.app", str(task)).__name__ == "app"


def test_a_module_in_a_folder_is_named_with_slashes_as_lambda_does(task: Path) -> None:
    (task / "losi_folder").mkdir()
    (task / "losi_folder" / "losi_task.py").write_text(APP)

    assert load_app("losi_folder/losi_task.app", str(task)).__module__ == "losi_folder.losi_task"


@pytest.fixture
def loop() -> Iterator[None]:
    with event_loop():
        yield


@pytest.mark.usefixtures("loop")
def test_of_a_mangum_handler_the_app_is_taken(task: Path) -> None:
    wrapped = f"from mangum import Mangum\n{APP}\nhandler = Mangum(app, lifespan='off')"
    (task / "losi_task.py").write_text(wrapped)

    assert not isinstance(load_app("losi_task.handler", str(task)), Mangum)


def test_a_handler_without_module_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"module\.attribute, not 'handler'"):
        load_app("handler", "/var/task")
