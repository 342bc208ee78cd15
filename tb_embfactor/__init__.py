"""tb_embfactor: what an embedding layer has learnt, and how it changed while it trained.

    import tb_embfactor as ef

    log = ef.open_logdir("logs")               # runs, checkpoints, matrices
    matrix = log.runs[0].checkpoints[-1]["embedding"]
    f = ef.factorize(matrix)                   # W = U S Vᵀ, exact, in constant memory
    ef.metrics(f)["effective_rank"]
    ef.project(matrix, method="pca", n_components=3).points
    ef.export(f, "factors.safetensors")

Names are imported when they are first used, so that TensorBoard starts at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_embfactor.analysis.comparison import Comparison, compare
    from tb_embfactor.analysis.factorization import Factorization, export, factorize
    from tb_embfactor.analysis.factors import Factors, factors
    from tb_embfactor.analysis.neighbours import Neighbors, neighbors
    from tb_embfactor.analysis.numbers import metrics
    from tb_embfactor.analysis.projection import Projection, project
    from tb_embfactor.analysis.ranks import suggested_ranks
    from tb_embfactor.analysis.sparsity import Sparsity, sparsity
    from tb_embfactor.errors import EmbfactorError
    from tb_embfactor.logdir import open_checkpoint, open_logdir

__version__ = "0.1.0"

_HOME = {
    "open_logdir": "logdir",
    "open_checkpoint": "logdir",
    "factorize": "analysis.factorization",
    "Factorization": "analysis.factorization",
    "compare": "analysis.comparison",
    "Comparison": "analysis.comparison",
    "export": "analysis.factorization",
    "factors": "analysis.factors",
    "Factors": "analysis.factors",
    "neighbors": "analysis.neighbours",
    "Neighbors": "analysis.neighbours",
    "suggested_ranks": "analysis.ranks",
    "sparsity": "analysis.sparsity",
    "Sparsity": "analysis.sparsity",
    "metrics": "analysis.numbers",
    "project": "analysis.projection",
    "Projection": "analysis.projection",
    "EmbfactorError": "errors",
}
__all__ = [
    "Comparison",
    "EmbfactorError",
    "Factorization",
    "Factors",
    "Neighbors",
    "Projection",
    "Sparsity",
    "compare",
    "export",
    "factorize",
    "factors",
    "metrics",
    "neighbors",
    "open_checkpoint",
    "open_logdir",
    "project",
    "sparsity",
    "suggested_ranks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
