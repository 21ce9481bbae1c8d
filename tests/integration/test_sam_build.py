"""`sam build`: what would be uploaded to Lambda, for both of its architectures."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.docker import MACHINE
from local.python313 import python313_environment
from local.sam import ROOT
from local.table import load_template
from losi.web import endpoints
from tests.deployment import Build, logical_id

FUNCTIONS = {logical_id(folder): folder for folder in endpoints.FUNCTIONS}
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
LAYER_BUDGET = 25_000_000
#: What the Lambda runtime brings along, and the layer must therefore leave out.
LAMBDA_HAS = ("boto3", "botocore", "s3transfer", "urllib3", "dateutil", "six")


@pytest.fixture(scope="module", params=MACHINES)
def built(request: pytest.FixtureRequest, sam_build: Build) -> Path:
    return sam_build(request.param)


@pytest.fixture(scope="module")
def layer(built: Path) -> Path:
    return built / "LosiLayer" / "python"


@pytest.fixture(scope="module")
def native(sam_build: Build) -> Path:
    return sam_build(MACHINE)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def run_in_lambda_s_python(script: str, *path: Path) -> str:
    """Python 3.13 with its standard library and these folders, and nothing else."""
    done = subprocess.run(
        ["python3.13", "-I", "-S", "-B", "-c", script, *map(str, path)],
        env={**os.environ, **python313_environment()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestLayer:
    def test_it_keeps_to_its_budget_with_bytecode(
        self, layer: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sizes = {path: path.stat().st_size for path in files(layer)}
        bytecode = sum(size for path, size in sizes.items() if path.suffix == ".pyc")
        total = sum(sizes.values())
        with capsys.disabled():
            sys.stdout.write(
                f"\nlayer for {layer.parent.parent.name}: {total / 1e6:.1f} MB unzipped in "
                f"{len(sizes)} files, of it {bytecode / 1e6:.1f} MB bytecode\n"
            )

        assert total < LAYER_BUDGET

    def test_every_module_has_bytecode(self, layer: Path) -> None:
        missing = [
            source
            for source in layer.rglob("*.py")
            if not Path(importlib.util.cache_from_source(str(source)))
            .with_name(f"{source.stem}.cpython-313.pyc")
            .exists()
        ]

        assert missing == []

    def test_bytecode_does_not_depend_on_the_dates_of_files(self, layer: Path) -> None:
        flags = {path.read_bytes()[4:8] for path in layer.rglob("*.pyc")}

        assert flags == {b"\x01\x00\x00\x00"}, "PEP 552: hash-based and unchecked"

    def test_compiled_modules_are_for_this_architecture(self, layer: Path) -> None:
        machine = MACHINES[layer.parent.parent.name]
        libraries = [path.name for path in layer.rglob("*.so")]

        assert libraries
        assert [name for name in libraries if f"cpython-313-{machine}-linux" not in name] == []

    def test_boto3_is_left_to_the_runtime(self, layer: Path) -> None:
        assert [name for name in LAMBDA_HAS if (layer / name).exists()] == []

    def test_it_holds_losi_whole_and_nothing_of_its_development(self, layer: Path) -> None:
        def contents(folder: Path) -> set[str]:
            return {
                str(path.relative_to(folder))
                for path in files(folder)
                if "__pycache__" not in path.parts
            }

        losi = contents(layer / "losi")
        operators = {name for name in losi if name.startswith("catalogue/config/")}
        assert losi - operators == contents(ROOT / "shared" / "losi")
        assert operators == {f"catalogue/config/{name}" for name in contents(ROOT / "config")}
        assert [path.name for path in layer.parent.iterdir()] == ["python"]
        assert [name for name in ("pytest", "pip", "bin") if (layer / name).exists()] == []

    def test_the_exec_wrapper_can_be_executed(self, layer: Path) -> None:
        assert os.access(layer / "losi" / "aws" / "runtime" / "exec-wrapper", os.X_OK)


class TestOperatorsCatalogue:
    """The layer's Makefile in a copy of shared/, as `sam build` runs it: links are followed."""

    MODEL = """
[[models]]
id = "mine"
kind = "embedding"
code = "xm"
description = "A model"
owned_by = "me"
created = 1
features = []
plans = ["free"]
context_window = 1000
prices = { input = 1.0 }
routes = [{ provider = "sandbox", model = "losi-sandbox" }]
"""

    @pytest.fixture
    def copy(self, tmp_path: Path) -> Path:
        return Path(shutil.copytree(ROOT / "shared", tmp_path / "shared"))

    def build(self, copy: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "-f", "layer/x86_64/Makefile", "build-LosiLayer", "ARTIFACTS_DIR=built"],
            cwd=copy,
            env={**os.environ, **python313_environment()},
            capture_output=True,
            text=True,
        )

    def test_it_is_in_force_in_the_layer(self, copy: Path) -> None:
        (copy / "losi" / "catalogue" / "config" / "models.toml").write_text(self.MODEL)

        done = self.build(copy)

        assert done.returncode == 0, done.stderr
        script = (
            "import sys; sys.path += sys.argv[1:]; from losi.catalogue.loader import load; "
            "print(load().models['mine'].kind)"
        )
        # pydantic of this machine, which the layer's need not be for
        told = run_in_lambda_s_python(script, copy / ".check", copy / "built" / "python")
        assert told == "embedding\n"

    def test_a_mistake_in_it_fails_the_build_without_a_traceback(self, copy: Path) -> None:
        wrong = self.MODEL.replace('"free"', '"fee"')
        (copy / "losi" / "catalogue" / "config" / "models.toml").write_text(wrong)

        done = self.build(copy)

        assert done.returncode != 0
        assert (
            "config/models.toml: model 'mine': plans names the unknown plan 'fee'. "
            "Did you mean 'free'?" in done.stderr
        )
        assert "Traceback" not in done.stderr
        assert not (copy / "built").exists()

    def test_a_build_that_cannot_see_it_fails(self, copy: Path) -> None:
        shutil.rmtree(copy / "losi" / "catalogue" / "config")

        done = self.build(copy)

        assert done.returncode != 0
        assert "config/ cannot be read here" in done.stderr


class TestFunctions:
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_a_function_is_its_wiring_alone(self, built: Path, function: str) -> None:
        """But for sign-in, whose own package brings what verifies a token."""
        names = [path.name for path in files(built / function)]

        assert "app.py" in names
        assert function == "SignInFunction" or names == ["app.py"]

    def test_the_template_names_the_architecture_that_was_built(self, built: Path) -> None:
        layer = load_template(built / "template.yaml")["Resources"]["LosiLayer"]

        assert layer["Metadata"]["BuildArchitecture"] == built.name


class TestOnThisMachine:
    """Only what was built for this machine's architecture can be imported here."""

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_a_function_starts_with_the_layer_alone(self, native: Path, function: str) -> None:
        """boto3 is not on this path, so no cold start imports it either."""
        script = "import sys; sys.path[:0] = sys.argv[1:]; import app; print(type(app.handler))"

        layer = native / "LosiLayer" / "python"

        assert "Handler" in run_in_lambda_s_python(script, native / function, layer)

    def test_all_of_losi_finds_what_it_needs_in_the_layer_or_the_runtime(
        self, native: Path, tmp_path: Path
    ) -> None:
        """Also what is imported on first use, and what the layer's build has left out as unused."""
        for package in LAMBDA_HAS:
            found = importlib.util.find_spec(package)
            assert found is not None
            assert found.origin is not None
            origin = Path(found.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            (tmp_path / source.name).symlink_to(source)
        script = """
import importlib, pkgutil, sys
sys.path[:0] = sys.argv[1:]
import losi
import aws_lambda_powertools.utilities.parameters, boto3
operators = ("losi.cli",)
for module in pkgutil.walk_packages(losi.__path__, "losi."):
    if not module.name.startswith(operators) and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        print(module.name)
"""
        imported = run_in_lambda_s_python(script, native / "LosiLayer" / "python", tmp_path).split()

        assert {"losi.web.chat_completions", "losi.aws.runtime.loop"} <= set(imported)
