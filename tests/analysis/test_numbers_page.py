"""docs/numbers.md is what the tables in the code say, and nothing that is entered in them is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb_embfactor.analysis.numbers import METRICS
from tb_embfactor.analysis.numbers.page import help_text, markdown
from tb_embfactor.analysis.ranks import RULES
from tb_embfactor.cli import main
from tb_embfactor.transforms import STEPS


def test_the_page_is_that_of_the_tables(repository: Path) -> None:
    assert (repository / "docs" / "numbers.md").read_text(encoding="utf-8") == markdown(), "run 'make docs'"


def test_everything_in_the_tables_is_on_the_page() -> None:
    page = markdown()
    for entry in (*METRICS.values(), *RULES.values()):
        assert f"| `{entry.key}` | " in page
        assert all((entry.name, entry.formula, entry.source))
    assert all(f"| `{step}` | " in page for step in STEPS)


def test_help_tells_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["spectrum", "--help"])
    assert help_text() in capsys.readouterr().out
