"""Which CPython the measured servers run on, and whether it was built with optimisation."""

import json
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: The Makefile makes it (`bench-python`), with what requirements-run.txt names.
PYTHON = Path(__file__).parent.parent / ".losi" / "bench-python" / "bin" / "python"

#: They optimise by profiles and at link time, and leave that out of CONFIG_ARGS: see
#: changelog.Debian of python3.7 and later, and https://bugs.debian.org/934771.
SILENT_DISTRIBUTIONS = {"debian", "ubuntu"}

_FACTS = """
import json, platform, sys, sysconfig
print(json.dumps({
    "version": platform.python_version(),
    "base_prefix": sys.base_prefix,
    "config_args": sysconfig.get_config_var("CONFIG_ARGS") or "",
}))
"""


@dataclass(frozen=True)
class Interpreter:
    version: str
    base_prefix: str
    config_args: str
    #: NAME, ID and ID_LIKE of this machine, as in `/etc/os-release`.
    distribution: dict[str, str]

    @property
    def is_distributions(self) -> bool:
        return self.base_prefix == "/usr"

    @property
    def is_optimised(self) -> bool:
        """What the build says of itself, no timing."""
        if "--enable-optimizations" in self.config_args:
            return True
        like = {self.distribution.get("ID"), *self.distribution.get("ID_LIKE", "").split()}
        return self.is_distributions and bool(like & SILENT_DISTRIBUTIONS)

    def __str__(self) -> str:
        whose = f" of {self.distribution.get('NAME', 'Linux')}" if self.is_distributions else ""
        how = "with optimisation" if self.is_optimised else "without --enable-optimizations"
        return f"CPython {self.version}{whose}, built {how}"


def interpreter(python: Path | str = PYTHON) -> Interpreter:
    told = subprocess.run([python, "-c", _FACTS], check=True, capture_output=True, text=True)
    return Interpreter(**json.loads(told.stdout), distribution=platform.freedesktop_os_release())
