"""A few hundred damaged files of each kind, in a child process. More of them: make fuzz."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tb_embfactor import formats
from tests.formats.fuzz import LABELS, TARGETS

NOT_PARSED = {"gguf", "orbax"}


def test_every_format_has_a_target() -> None:
    assert {target.format for target in TARGETS} == formats.FORMATS.keys() - NOT_PARSED | {LABELS}


def test_damaged_files_give_a_result_or_an_error_of_ours(fixtures_dir: Path, repository: Path) -> None:
    command = [sys.executable, "-m", "tests.formats.fuzz", os.environ.get("EMBFACTOR_FUZZ_MUTATIONS", "300")]
    environment = {**os.environ, "EMBFACTOR_FIXTURES": str(fixtures_dir), "PYTHONPATH": str(repository)}
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
