"""Numbers of the rows: how they point, how long they are, which are empty, and which never moved."""

from __future__ import annotations

from tb_embfactor.analysis.numbers.registry import Number, describe, register
from tb_embfactor.linalg.spectrum import Spectrum


@register(
    "mean_cosine",
    "mean cosine",
    "The cosine between two different rows, over all pairs: near 0 when directions spread, near 1 when all point one way.",
    "(‖Σ x/‖x‖‖² − n)/(n(n−1)) over the rows that are not zero, not centred",
    "Ethayarajh 2019 (there of sampled pairs; here of all, exactly)",
    first=True,
)
def _mean_cosine(spectrum: Spectrum) -> Number:
    n = spectrum.n_nonzero
    return float((spectrum.unit_sum @ spectrum.unit_sum - n) / (n * (n - 1))) if n > 1 else None


@register(
    "row_norm_quantiles",
    "row norms",
    "The length of the rows: the shortest, the 5, 25, 50, 75 and 95 % quantiles, and the longest.",
    "quantiles of ‖x‖; the first and the last exact, the others to 0.1 %",
    "by counting",
)
def _row_norm_quantiles(spectrum: Spectrum) -> Number:
    return list(spectrum.rows.norm_quantiles)


@register("zero_share", "zero entries", "The share of the entries that are exactly 0.", "#{w = 0}/(V·d)", "by counting")
def _zero_share(spectrum: Spectrum) -> Number:
    return spectrum.rows.zero_share


@register("zero_rows", "zero rows", "How many rows are 0 in every column.", "#{x = 0}", "by counting")
def _zero_rows(spectrum: Spectrum) -> Number:
    return spectrum.rows.n_zero_rows


describe(
    "run",
    "rows_unmoved",
    "rows never moved",
    "How many rows are to the bit what they were at the first checkpoint of the run: inputs that may never occur.",
    "#{x(t) = x(0)}",
    "by comparing",
    first=True,
)
describe(
    "run",
    "dead_rows",
    "dead rows",
    "How many rows are zero, or what they were at the first checkpoint: they carry nothing that was learnt.",
    "#{x(t) = 0 or x(t) = x(0)}",
    "by comparing",
)
describe(
    "run",
    "columns_unmoved",
    "columns never moved",
    "How many columns are to the bit what they were at the first checkpoint of the run.",
    "#{column(t) = column(0)}",
    "by comparing",
)
