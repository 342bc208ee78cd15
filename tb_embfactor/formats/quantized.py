"""Weights that are packed or scaled by what lies beside them, as quantizing libraries save them: known, and not read.

Their stored numbers are not those of the model, and shown as such they would mislead. So each is left out with a reason, and what
belongs to it with it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_NEXT = "open the model as it was before, or save it dequantized"
_PACKED: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (weight, re.compile(beside), f"{what}; {_NEXT}")
    for weight, beside, what in (
        ("qweight", r"(qzeros|scales|g_idx)", "its numbers are packed in 4 bits (GPTQ or AWQ)"),
        ("weight", r"weight\.(absmax|quant_map|nested_\w+|quant_state\.\w+)", "its numbers are packed in 4 bits (bitsandbytes)"),
        ("weight", r"(SCB|weight_format)", "its numbers have 8 bits and scales beside them (bitsandbytes)"),
        ("weight_packed", r"weight_(scale|shape|zero_point|g_idx|global_scale)", "its numbers are packed (compressed-tensors)"),
        ("weight", r"(weight_scale(_inv)?|input_scale|weight_scale_2)", "its numbers are scaled by others beside it"),
    )
)


def find_packed(names: Collection[str]) -> tuple[dict[str, str], set[str]]:
    """Why weights are left out, by name; and the names of what belongs to them."""
    modules: dict[str, list[str]] = {}
    for name in names:
        parts = name.split(".")
        for depth in range(max(0, len(parts) - 4), len(parts)):
            modules.setdefault(".".join(parts[:depth]), []).append(".".join(parts[depth:]))
    reasons: dict[str, str] = {}
    belongings: set[str] = set()
    for module, inner in modules.items():
        prefix = f"{module}." if module else ""
        for weight, beside, reason in _PACKED:
            around = [name for name in inner if beside.fullmatch(name)]
            if around and weight in inner and f"{prefix}{weight}" not in reasons:
                reasons[f"{prefix}{weight}"] = reason
                belongings |= {f"{prefix}{name}" for name in around}
    return reasons, belongings
