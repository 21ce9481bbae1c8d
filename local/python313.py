"""Python 3.13, the version of the Lambda runtime, without which `sam build` cannot work."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache


class Python313MissingError(Exception):
    """`python3.13` is not on the PATH."""

    def __init__(self) -> None:
        super().__init__(
            "python3.13 is not on the PATH. `sam build` needs the Python of the Lambda runtime: "
            "install it (with pyenv: `pyenv install 3.13`), or build by hand in Docker with "
            "`sam build --use-container`."
        )


@cache
def python313_environment() -> dict[str, str]:
    """The variables to add to the environment so that `python3.13` runs. Raises
    Python313MissingError.
    """
    if _runs({}):
        return {}
    if shutil.which("pyenv"):  # it installs a python3.13 that refuses to run unless selected
        versions = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True)
        for version in versions.stdout.split():
            if version.startswith("3.13.") and _runs({"PYENV_VERSION": version}):
                return {"PYENV_VERSION": version}
    raise Python313MissingError


def _runs(extra: dict[str, str]) -> bool:
    if shutil.which("python3.13") is None:
        return False
    command = ["python3.13", "--version"]
    return subprocess.run(command, env={**os.environ, **extra}, capture_output=True).returncode == 0
