"""The Chinese README shows what really comes out: its sessions run as doctests, its commands print what stands below them."""

from __future__ import annotations

import doctest
import re
import shlex
from itertools import zip_longest
from pathlib import Path

import pytest

from tb_embfactor.cli import main


@pytest.fixture(autouse=True)
def _in_the_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)


def test_its_sessions() -> None:
    failed, tried = doctest.testfile(str(Path("README.zh-CN.md").resolve()), module_relative=False, encoding="utf-8")
    assert (failed, tried > 25) == (0, True)


def test_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(
        r"^```console\n\$ tb-embfactor (.+)\n((?:.*\n)*?)```$", Path("README.zh-CN.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(blocks) == 2
    for command, shown in blocks:
        assert main(shlex.split(command)) == 0
        for said, expected in zip_longest(capsys.readouterr().out.splitlines(), shown.splitlines(), fillvalue=""):
            for word, wanted in zip_longest(said.split(), expected.split(), fillvalue=""):
                assert word == wanted or is_near(word, wanted), (word, wanted, said)


def is_near(word: str, wanted: str) -> bool:
    """Numbers that another processor may round differently."""
    try:
        return float(word.strip("%")) == pytest.approx(float(wanted.strip("%")), rel=0.05, abs=0.03)
    except ValueError:
        return False


def test_it_and_the_english_one_lead_to_each_other() -> None:
    assert "(README.md)" in Path("README.zh-CN.md").read_text("utf-8")
    assert "(README.zh-CN.md)" in Path("README.md").read_text("utf-8")
