"""Which app a function's handler setting leads to."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mangum import Mangum

from losi.aws.runtime import loop
from losi.aws.runtime.loop import load_app
from losi.config import Config
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
def running() -> Iterator[None]:
    with event_loop():
        yield


@pytest.mark.usefixtures("running")
def test_of_a_mangum_handler_the_app_is_taken(task: Path) -> None:
    wrapped = f"from mangum import Mangum\n{APP}\nhandler = Mangum(app, lifespan='off')"
    (task / "losi_task.py").write_text(wrapped)

    assert not isinstance(load_app("losi_task.handler", str(task)), Mangum)


class Api:
    """Notes what the process tells Lambda, and what else happens meanwhile."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, ...]] = []

    async def report_error(self, path: str, error_type: str, message: str) -> None:
        self.seen.append((path, error_type, message))

    async def wait_for_restore(self) -> None:
        self.seen.append(("restored",))

    def close(self) -> None:
        self.seen.append(("closed",))

    def hook(self, name: str, *, says: str) -> None:
        self.seen.append((name, says))
        if says == "fails":
            raise ValueError("a secret of the app")


def initialised(api: Api, task: Path, **settings: Any) -> Any:
    config = Config(handler="losi_task.app", task_root=str(task), **settings)
    return loop._initialise(api, config, asyncio.run)  # type: ignore[arg-type]


class TestInitialising:
    @pytest.fixture
    def hooks(self, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], list[Any]]:
        """As snapshot_restore_py, which only Lambda has, would return them."""
        found: tuple[list[Any], list[Any]] = ([], [])
        module = SimpleNamespace(
            get_before_snapshot=lambda: found[0], get_after_restore=lambda: found[1]
        )
        monkeypatch.setitem(sys.modules, "snapshot_restore_py", module)
        return found

    def test_without_a_snapshot_is_loading_the_app(self, task: Path) -> None:
        (task / "losi_task.py").write_text(APP)
        api = Api()

        assert initialised(api, task).__name__ == "app"
        assert api.seen == []

    def test_an_app_that_cannot_be_loaded_is_reported(self, task: Path) -> None:
        (task / "losi_task.py").write_text("raise KeyError('a table')")
        api = Api()

        with pytest.raises(SystemExit) as ended:
            initialised(api, task)

        assert ended.value.code == 1
        assert api.seen == [("/init/error", "Runtime.KeyError", "'a table'")]

    def test_hooks_run_on_both_sides_of_a_snapshot(
        self, task: Path, hooks: tuple[list[Any], list[Any]]
    ) -> None:
        (task / "losi_task.py").write_text(APP)
        api = Api()
        for side, names in zip(hooks, (("a", "b"), ("c", "d")), strict=True):
            side += [(api.hook, (name,), {"says": "x"}) for name in names]

        initialised(api, task, takes_snapshot=True)

        order = [("b", "x"), ("a", "x"), ("restored",), ("closed",), ("c", "x"), ("d", "x")]
        assert api.seen == order

    def test_without_lambda_s_library_there_are_no_hooks(
        self, task: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "snapshot_restore_py", None)
        (task / "losi_task.py").write_text(APP)
        api = Api()

        initialised(api, task, takes_snapshot=True)

        assert api.seen == [("restored",), ("closed",)]

    def test_every_copy_of_a_snapshot_has_random_numbers_of_its_own(
        self, task: Path, hooks: tuple[list[Any], list[Any]]
    ) -> None:
        (task / "losi_task.py").write_text(APP)
        drawn = []
        for _ in range(2):
            random.seed(1)
            initialised(Api(), task, takes_snapshot=True)
            drawn.append(random.random())

        assert drawn[0] != drawn[1]

    @pytest.mark.parametrize(
        ("side", "status", "report"),
        [
            (0, 64, ("/init/error", "Runtime.BeforeSnapshotError", "ValueError")),
            (1, 65, ("/restore/error", "Runtime.AfterRestoreError", "ValueError")),
        ],
    )
    def test_a_hook_that_fails_ends_the_process(
        self,
        task: Path,
        hooks: tuple[list[Any], list[Any]],
        side: int,
        status: int,
        report: tuple[str, ...],
    ) -> None:
        (task / "losi_task.py").write_text(APP)
        api = Api()
        hooks[side].append((api.hook, ("h",), {"says": "fails"}))

        with pytest.raises(SystemExit) as ended:
            initialised(api, task, takes_snapshot=True)

        assert ended.value.code == status
        assert api.seen[-1] == report


def test_a_handler_without_module_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"module\.attribute, not 'handler'"):
        load_app("handler", "/var/task")
