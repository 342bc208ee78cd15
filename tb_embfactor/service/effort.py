"""What a pass over a listed matrix costs, which matrices are sampled first, and which wait until somebody asks."""

from __future__ import annotations

from typing import Any

UNASKED_BYTES = 2 << 30
SAMPLED_SECONDS = 2
SAMPLED_ROWS = 4  # times the columns: a quarter of fewer rows says little of so many directions


def n_bytes(listed: dict[str, Any]) -> int:
    """What a pass reads."""
    digits = "".join(character for character in listed["dtype"].partition("_")[0] if character.isdigit())
    return int(listed["shape"][0] * listed["shape"][1] * max(8, int(digits or 32)) // 8)


def waits(listed: dict[str, Any]) -> bool:
    """Whether a matrix is too large to be factored unasked."""
    return n_bytes(listed) > UNASKED_BYTES


def is_sampled(listed: dict[str, Any]) -> bool:
    """Whether a sample of the rows is looked at first: it takes half a second, and is worth it where a pass takes much longer."""
    n_rows, n_columns = listed["shape"]
    return expected_seconds(listed) >= SAMPLED_SECONDS and n_rows >= SAMPLED_ROWS * n_columns


def expected_seconds(listed: dict[str, Any]) -> int:
    """A cautious guess for one pass: 10 GFLOP/s, 0.5 GB/s."""
    long_side, short_side = max(listed["shape"]), min(listed["shape"])
    return round(long_side * short_side**2 / 1e10 + n_bytes(listed) / 5e8)


def waiting(listed: dict[str, Any]) -> dict[str, Any]:
    """What is said of a matrix that waits."""
    return {"state": "waiting", "bytes": n_bytes(listed), "expected_seconds": expected_seconds(listed)}
