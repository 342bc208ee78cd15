"""What the name of a file tells of a matrix in it that has no name of its own (`.npy`, text)."""

from __future__ import annotations

import re
from pathlib import PurePath

from tb_embfactor.formats import TELLING
from tb_embfactor.formats.steps import step_in_name

_TELLING = re.compile(TELLING)
_COUNTED = re.compile(r"[-_.=]*(step|epoch|iter|ckpt|checkpoint|cp)?[-_.=]*\d+$", re.IGNORECASE)


def says_embedding(name: str) -> bool:
    """Whether a name says that it is one of embeddings: `word_embeddings.npy`, `glove.6B.50d.txt`, `vectors.tsv`."""
    return _TELLING.search(name) is not None


def split_step(name: str, n_columns: int) -> tuple[str, int | None]:
    """The name of a matrix and its training step, from that of its file: (`emb`, 300) of `emb_step_0300.npy`.

    So a matrix that is saved again and again keeps its name. A number that is that of its columns is no step: `vectors_300.txt`.
    """
    stem = PurePath(name).stem
    step = step_in_name(stem)
    if step is None or step == n_columns:
        return stem, None
    return _COUNTED.sub("", stem) or stem, step
