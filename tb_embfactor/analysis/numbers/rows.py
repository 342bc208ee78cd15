"""Numbers of the rows: how they point, how long they are, which are empty, which never moved, and how far all have come."""

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

_CKA = "‖C‖²_F/(‖A‖_F‖B‖_F); A, B the centred second moments now and then, C those between the two"
_PROCRUSTES = "1 − ‖C‖²_*/(tr A·tr B); less than 10⁻¹² is given as 0"
_OF_CKA, _OF_PROCRUSTES = "Kornblith et al. 2019", "Schönemann 1966; Gower 1975 (as scipy.spatial.procrustes)"

describe(
    "run",
    "cka_first",
    "CKA to first step",
    "Linear CKA with the first checkpoint of the run: how much of the distances among the rows is still as it was, 0 to 1. "
    "Turning or scaling all rows does not change it.",
    _CKA,
    _OF_CKA,
)
describe(
    "run",
    "cka_previous",
    "CKA to previous step",
    "Linear CKA with the checkpoint before: near 1 when the embedding has stopped changing, lower where it jumped.",
    _CKA,
    _OF_CKA,
)
describe(
    "run",
    "procrustes_first",
    "Procrustes to first step",
    "What turning and scaling, as well as can be, leaves between the rows and those of the run's first checkpoint: 0 for the "
    "same shape, at most 1.",
    _PROCRUSTES,
    _OF_PROCRUSTES,
)
describe(
    "run",
    "procrustes_previous",
    "Procrustes to previous step",
    "What turning and scaling leaves between the rows and those of the checkpoint before: near 0 when the embedding has stopped "
    "changing, higher where it jumped.",
    _PROCRUSTES,
    _OF_PROCRUSTES,
)
