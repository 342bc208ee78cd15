"""What the command line prints: tables that stand straight on a terminal, documents, problems and progress."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tb_embfactor.messages import Message

if TYPE_CHECKING:
    from tb_embfactor.logdir import Checkpoint


def print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False))


class Printer:
    """What goes to stderr: problems, and progress where a person watches."""

    def __init__(self) -> None:
        self.n_problems = 0
        self._said: set[str] = set()
        self._shown = ""

    def problem(self, message: Message) -> None:
        """Say it, once."""
        if message.text in self._said:
            return
        self.clear()
        self._said.add(message.text)
        self.n_problems += 1
        print(f"tb-embfactor: {message.text}", file=sys.stderr)

    def progress(self, title: str) -> Callable[[float], None]:
        def show(share: float) -> None:
            line = f"{title} {share:4.0%}"
            if sys.stderr.isatty() and line != self._shown:
                self._shown = line
                print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)

        return show

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
            self._shown = ""


def print_table(headers: list[str], rows: list[list[str]], right: set[int]) -> None:
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(_width(row[column]) for row in [headers, *rows]) for column in range(len(headers))]
    for row in [headers, *rows]:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            padding = " " * (width - _width(cell))
            cells.append(padding + cell if column in right else cell + padding)
        print("  ".join(cells).rstrip())


def _width(text: str) -> int:
    """Columns of a terminal: East Asian wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def printable(text: str) -> str:
    """File and tensor names come from anybody: control characters must not reach the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def step_text(checkpoint: Checkpoint) -> str:
    return "" if checkpoint.step is None else f"{checkpoint.step:,}"


def number_text(value: float | int | None, spec: str) -> str:
    return "–" if value is None else format(value, spec)


def row_text(row: dict[str, Any]) -> str:
    """A row of an answer by its label, or by its number where it has none."""
    return printable(str(row["row"] if row["label"] is None else row["label"]))
