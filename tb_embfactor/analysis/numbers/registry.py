"""The table of named numbers: each with its key, what it says, its formula and its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tb_embfactor.linalg.spectrum import Spectrum

Number = float | int | bool | list[float] | None
Subject = Literal["matrix", "run", "pair"]
"""What a number is of: a matrix alone, a matrix and what it was at an earlier checkpoint of the run, two matrices."""


@dataclass(frozen=True)
class Metric:
    """One named number. `first` marks those for the first screen.

    compute : of a matrix, from its spectrum; None where the matrix cannot tell. Numbers of other subjects come from
    passes of their own.
    """

    key: str
    name: str
    description: str
    formula: str
    source: str
    subject: Subject
    first: bool = False
    compute: Callable[[Spectrum], Number] = lambda spectrum: None

    def to_json(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("key", "name", "description", "formula", "source", "subject", "first")}


METRICS: dict[str, Metric] = {}


def register(key: str, name: str, description: str, formula: str, source: str, first: bool = False) -> Callable[..., Any]:
    """Enter the decorated function of a spectrum into the table."""

    def enter(compute: Callable[[Spectrum], Number]) -> Callable[[Spectrum], Number]:
        METRICS[key] = Metric(key, name, description, formula, source, "matrix", first, compute)
        return compute

    return enter


def describe(subject: Subject, key: str, name: str, description: str, formula: str, source: str, first: bool = False) -> None:
    """Enter a number that a pass of its own computes."""
    METRICS[key] = Metric(key, name, description, formula, source, subject, first)
