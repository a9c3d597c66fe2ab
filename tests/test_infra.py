"""What is in ``infra/`` is read by the tool it is for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[1] / "infra" / "systemd" / "plumbline.service"


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: install Debian's systemd to run this")
    # The command and the user are the machine's own; everything else is held as it stands.
    unit = tmp_path / "plumbline.service"
    unit.write_text(UNIT.read_text().replace("/opt/plumbline/.venv/bin/plumbline", "/bin/true").replace("User=plumbline", "User=root"))
    said = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    about_it = [line for line in said.stderr.splitlines() if "plumbline.service" in line]
    assert about_it == []
    assert said.returncode == 0
