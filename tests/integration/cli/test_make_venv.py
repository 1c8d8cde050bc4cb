"""The script that creates the virtual environment, run with the Python of these tests."""

import subprocess
import sys

from tests.structure import tree


def test_script_creates_the_environment(tmp_path):
    script = tree.ROOT / "scripts/make-venv"
    command = [script, sys.executable, tmp_path / "venv"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "venv/bin/pip").exists()
