"""What a tensor of a PyTorch model is to its layer: table of an embedding, kernel or neither; which way round, with which bias.

A state dict names tensors after the modules that hold them, `encoder.layer.0.query.weight`, and does not tell their classes. What
does, in the order in which it is believed:

1. the class of the module, where a whole module was saved;
2. the tensors beside it: a bias as long as the weight has rows makes it the kernel of a `Linear`, which is stored (outputs,
   inputs); a bias as long as it has columns that of a `Conv1D` of GPT-2, which is stored the other way round;
3. the sizes in a `config.json`: a table has as many rows as there are tokens or positions, and the model's width in columns;
4. the sizes of all other tensors: what a kernel puts out another layer takes in, but nobody takes in the rows of a table;
5. words in names, which alone decide only where nothing else does: between a table and an output layer of the same shape.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from tb_embfactor.formats import Role
from tb_embfactor.formats.parameters import ModelSizes, Shape

_PADDING = 1024  # how many rows a table may have beyond the vocabulary
_TABLE_CLASSES = ("Embedding", "EmbeddingBag")
_TABLE_WORDS = re.compile(
    r"emb(?!.*(_out|proj))|^w[tp]e$|lookup|vocab|(^|_)tok(en)?s?(_|$)|^shared$|^relative_attention_bias$|^W_(E|pos)$",
    re.IGNORECASE,
)
_OUTPUT_WORDS = re.compile(
    r"(.*_)?(heads?|out(put)?(_layer|_projection)?|decoder|classifier|scores?|logits|generator|unembed\w*|embed_out"
    r"|\w*proj(ection|ector)?|linear|dense|fc|lin|gate|router|query|key|value|qkv)_?\d*",
    re.IGNORECASE,
)
_GATES = re.compile(r"weight_(?P<source>ih|hh)(?P<rest>_l\d+(_reverse)?|)")
_ATTENTION = re.compile(r"(?P<which>in|q|k|v)_proj_weight")


class Place(NamedTuple):
    """Where a matrix belongs. is_transposed : it is stored (outputs, inputs). bias : the name of that tensor."""

    role: Role
    is_transposed: bool = False
    bias: str | None = None


class Roles:
    """The places of the matrices of one model.

    shapes : of all its tensors, by name, in the order of the model as far as that is known.
    classes : of modules, by name, where known. sizes : from a configuration.
    """

    def __init__(self, shapes: Mapping[str, Shape], classes: Mapping[str, str], sizes: ModelSizes) -> None:
        self._shapes, self._classes, self._sizes = shapes, classes, sizes
        weights = [shape for name, shape in shapes.items() if shape and "bias" not in name.rpartition(".")[2]]
        self._taken_in = Counter(shape[1] if len(shape) > 1 else shape[0] for shape in weights)
        self._n_alike = Counter(_family(name) for name in shapes)
        self._first_of_shape: dict[Shape, str] = {}
        for name, shape in shapes.items():
            self._first_of_shape.setdefault(shape, name)
        self._is_by_inputs = self._vote()

    def _vote(self) -> bool:
        """Whether kernels are stored (inputs, outputs), judged by those that are not square and have a bias."""
        fits = Counter(fit for name in self._shapes if (fit := self._fit_of_bias(name)) in ("rows", "columns"))
        return fits["columns"] > fits["rows"]

    def _fit_of_bias(self, name: str) -> str | None:
        """Whether the bias beside a weight is as long as it has rows, columns, or both."""
        shape = self._shapes[name]
        bias = self._shapes.get(_beside(name, "bias"))
        if not name.endswith("weight") or len(shape) != 2 or bias is None or len(bias) != 1 or bias[0] not in shape:
            return None
        return "both" if shape[0] == shape[1] else "rows" if bias[0] == shape[0] else "columns"

    def place(self, name: str) -> Place:
        module, _, attribute = name.rpartition(".")
        if (gates := _GATES.fullmatch(attribute)) is not None:
            bias = self._bias(name, f"bias_{gates['source']}{gates['rest']}", 0)
            return Place("kernel", True, bias) if gates["source"] == "ih" else Place("other", True)
        if (attention := _ATTENTION.fullmatch(attribute)) is not None:
            return Place("kernel", True, self._bias(name, "in_proj_bias", 0) if attention["which"] == "in" else None)
        if attribute != "weight":
            is_table = _TABLE_WORDS.search(word_of(name)) or self._classes.get(name) in _TABLE_CLASSES
            return Place("embedding" if is_table else "other")
        known = self._classes.get(module)
        if known in _TABLE_CLASSES:
            return Place("embedding")
        fit = self._fit_of_bias(name)
        if fit is not None:
            is_transposed = fit == "rows" or (fit == "both" and not self._is_by_inputs)
            return Place("kernel", is_transposed, _beside(name, "bias"))
        if known is None and self._is_table(name):
            return Place("embedding")
        return Place("kernel", is_transposed=not (known == "Conv1D" or self._is_by_inputs))

    def _fits_sizes(self, shape: Shape) -> bool:
        return shape[1] in self._sizes.widths and any(rows <= shape[0] < rows + _PADDING for rows in self._sizes.rows)

    def _bias(self, name: str, beside: str, axis: int) -> str | None:
        bias = _beside(name, beside)
        return bias if self._shapes.get(bias) == (self._shapes[name][axis],) else None

    def _is_table(self, name: str) -> bool:
        """Whether a weight without a bias is the table of an embedding rather than a `Linear(bias=False)`."""
        shape, word = self._shapes[name], word_of(name)
        if _OUTPUT_WORDS.fullmatch(word):
            return False
        if self._fits_sizes(shape):
            return True
        if _TABLE_WORDS.search(word):  # unless it is a kernel that is called so, and what it puts out is what others take in
            return self._taken_in[shape[0]] <= self._taken_in[shape[1]]
        if self._sizes.rows or shape[0] <= shape[1] or shape[0] in self._taken_in or self._n_alike[_family(name)] > 1:
            return False
        is_numbered = name.removesuffix(".weight").rpartition(".")[2].isdigit()
        return not is_numbered or self._first_of_shape[shape] == name


def word_of(name: str) -> str:
    """The last part of a tensor's name that says something: `classifier` of `classifier.1.weight`."""
    parts = [part for part in name.removesuffix(".weight").split(".") if not part.isdigit()]
    return parts[-1] if parts else ""


def _beside(name: str, sibling: str) -> str:
    return name[: name.rfind(".") + 1] + sibling


def _family(name: str) -> str:
    """One name for the same tensor of every block: `h.#.attn.weight`. A layer's own number, as in `net.3.weight`, stays."""
    parts = name.split(".")
    return ".".join("#" if part.isdigit() and position < len(parts) - 2 else part for position, part in enumerate(parts))
