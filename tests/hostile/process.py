"""What whole processes take: https://man7.org/linux/man-pages/man5/proc.5.html"""

from __future__ import annotations

import os
import re
from pathlib import Path


class Usage:
    """Peak memory (MB over what was resident at first) and CPU seconds since the last `reset`."""

    def __init__(self, *pids: int) -> None:
        self._folders = [Path(f"/proc/{pid}") for pid in pids]
        self.idle_mb = self._status("VmRSS")
        self.reset()

    def reset(self) -> None:
        for folder in self._folders:
            (folder / "clear_refs").write_text("5")  # the peak begins anew
        self._began = self._cpu()

    @property
    def megabytes(self) -> float:
        return self._status("VmHWM") - self.idle_mb

    @property
    def seconds(self) -> float:
        return self._cpu() - self._began

    def _status(self, field: str) -> float:
        kilobytes = 0
        for folder in self._folders:
            found = re.search(rf"^{field}:\s+(\d+) kB", (folder / "status").read_text(), re.M)
            assert found is not None
            kilobytes += int(found[1])
        return kilobytes / 1024

    def _cpu(self) -> float:
        ticks = 0
        for folder in self._folders:
            # after the name, which may hold anything, in brackets
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")
