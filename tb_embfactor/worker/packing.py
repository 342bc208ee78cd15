"""A spectrum as arrays and a JSON document, for the cache's second tier."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from tb_embfactor.linalg.axes import Axes, KnownAxes, ShiftedAxes, StripAxes
from tb_embfactor.linalg.blocks import RowBlocks, Strips
from tb_embfactor.linalg.row_statistics import RowSummary
from tb_embfactor.linalg.spectrum import Spectrum, Svd

_PARTS = ("centered", "stored")  # in the order in which they are made again
_COUNTS = ("n_rows", "n_skipped", "n_columns", "n_nonzero", "passes")


def pack(spectrum: Spectrum) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    tensors = {"mean": spectrum.mean, "unit_sum": spectrum.unit_sum}
    info: dict[str, Any] = {"rows": asdict(spectrum.rows)} | {name: getattr(spectrum, name) for name in _COUNTS}
    for part in _PARTS:
        svd: Svd = getattr(spectrum, part)
        kept = {"singular_values": svd.singular_values, "error_bound": svd.error_bound, **svd.axes.kept}
        tensors |= {f"{part}.{name}": array for name, array in kept.items()}
        info[part] = svd.null_bound
    return tensors, info


def unpack(tensors: dict[str, np.ndarray], info: dict[str, Any], blocks: RowBlocks) -> Spectrum:
    """The spectrum of `blocks`, as `pack` gave it."""
    found: dict[str, Svd] = {}
    for part in _PARTS:
        kept = {name.partition(".")[2]: array for name, array in tensors.items() if name.startswith(f"{part}.")}
        values, bound = kept.pop("singular_values"), kept.pop("error_bound")
        axes: Axes
        if "right" in kept:
            axes = KnownAxes(kept["right"])
        elif "left" in kept:
            axes = StripAxes(Strips(blocks, kept["usable"].astype(bool), part == "centered"), kept["left"], values)
        else:
            centered = found["centered"]
            axes = ShiftedAxes(centered.singular_values, centered.axes, tensors["mean"], info["n_rows"])
        found[part] = Svd(values, bound, info[part], axes)
    return Spectrum(
        mean=tensors["mean"],
        unit_sum=tensors["unit_sum"],
        rows=RowSummary(**info["rows"] | {"norm_quantiles": tuple(info["rows"]["norm_quantiles"])}),
        **{name: info[name] for name in _COUNTS},
        stored=found["stored"],
        centered=found["centered"],
    )


def n_bytes(spectrum: Spectrum) -> int:
    """What a spectrum holds in memory, about."""
    return sum(array.nbytes for svd in (spectrum.stored, spectrum.centered) for array in svd.axes.kept.values())
