"""docs/hostile-files.md names a test for every hostile case, and each of them is there."""

from __future__ import annotations

import re
from pathlib import Path


def test_every_case_has_a_test_that_is_there(repository: Path) -> None:
    text = (repository / "docs" / "hostile-files.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| case ")]
    assert len(rows) > 60
    assert all(re.search(r"`tests/\S+::test_\w+` \|$", row) for row in rows)
    for path, name in re.findall(r"`(tests/\S+\.py)::(test_\w+)`", text):
        assert re.search(rf"^ *def {name}\(", (repository / path).read_text(encoding="utf-8"), re.MULTILINE), f"{path}::{name}"
