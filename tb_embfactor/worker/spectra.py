"""The spectra of matrices: from memory, from the cache's second tier, from a checkpoint with the same numbers, or by reading."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable

from tb_embfactor import arrays, cache
from tb_embfactor.analysis.movement import is_unmoved
from tb_embfactor.errors import EmbfactorError
from tb_embfactor.linalg.blocks import Progress, RowBlocks
from tb_embfactor.linalg.spectrum import ALGORITHM, Spectrum, decompose
from tb_embfactor.logdir import Matrix
from tb_embfactor.worker.packing import n_bytes, pack, unpack

_KEPT_BYTES = 256 << 20
LEAST_COMPARED = 1 << 19  # entries: a smaller matrix is factored sooner than another checkpoint is opened
_MODELS = 4  # matrices of one name and shape that differ: as many as there are runs side by side


class Spectra:
    """A matrix that does not change along a run is factored once.

    report : called now and then while matrices are compared.
    """

    def __init__(self, store: cache.Cache, report: Callable[[], None]) -> None:
        self._store, self._report = store, report
        self._kept: OrderedDict[str, Spectrum] = OrderedDict()
        self._factored: defaultdict[tuple[object, ...], list[Matrix]] = defaultdict(list)  # the latest first

    def find(self, matrix: Matrix, transform: str, blocks: RowBlocks, progress: Progress) -> Spectrum:
        """The spectrum of the transformed rows, `blocks`, of a matrix."""
        key = _key(matrix, transform)
        spectrum = self._kept.get(key) or self._stored(key, blocks) or self._shared(matrix, transform, blocks)
        if spectrum is None:
            spectrum = decompose(blocks, matrix.name, progress)
            self._store.put("factors", key, arrays.encode(*pack(spectrum)))
            others = self._others(matrix)
            others[:] = [matrix, *(other for other in others if other.fingerprint != matrix.fingerprint)][:_MODELS]
        self.keep(matrix, transform, spectrum)
        return spectrum

    def keep(self, matrix: Matrix, transform: str, spectrum: Spectrum) -> None:
        """Have a spectrum in memory, whoever computed it."""
        key = _key(matrix, transform)
        self._kept[key] = spectrum
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(map(n_bytes, self._kept.values())) > _KEPT_BYTES:
            self._kept.popitem(last=False)

    def _stored(self, key: str, blocks: RowBlocks) -> Spectrum | None:
        body = self._store.get("factors", key)
        return unpack(*arrays.decode(body), blocks) if body else None

    def _shared(self, matrix: Matrix, transform: str, blocks: RowBlocks) -> Spectrum | None:
        """That of a matrix factored before that holds the same numbers, where it is still known."""
        is_small = matrix.shape[0] * matrix.shape[1] < LEAST_COMPARED
        same = None if is_small else self._find_same(matrix)
        if same is None:
            return None
        key = _key(same, transform)
        return unpack(*pack(self._kept[key]), blocks) if key in self._kept else self._stored(key, blocks)

    def _others(self, matrix: Matrix) -> list[Matrix]:
        return self._factored[matrix.name, matrix.shape, matrix.dtype]

    def _find_same(self, matrix: Matrix) -> Matrix | None:
        for other in self._others(matrix):
            try:
                if is_unmoved(matrix, other, self._report):
                    return other
            except EmbfactorError:  # one of the two files is no longer what it was; if it is ours, the pass over it says so
                continue
        return None


def _key(matrix: Matrix, transform: str) -> str:
    return cache.key(kind="factors", matrix=matrix.fingerprint, transform=transform, algorithm=ALGORITHM)
