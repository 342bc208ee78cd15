"""What a log directory holds, as objects: Logdir, Run, Checkpoint, Matrix.

They are cheap and carry no open file: a checkpoint is its header, and a matrix opens its file again when rows are
asked for. Whatever is read is read from the very state of the files that was scanned, or an IncompleteError says that it changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tb_embfactor.errors import NotFoundError, UsageError
from tb_embfactor.formats import SQUARED_GRADIENTS, MatrixInfo, Role
from tb_embfactor.logdir.matrix_labels import MatrixLabels
from tb_embfactor.logdir.readers import READERS, Header, Location, Opening
from tb_embfactor.messages import Message

if TYPE_CHECKING:
    import numpy as np

    from tb_embfactor.formats import OwnColumn
    from tb_embfactor.logdir.labels import Labels

BLOCK_BYTES, BLOCK_STEP = 8 << 20, 512  # of float64, what a pass widens its rows to; rows that are multiplied at a time
N_KNOWN = 8  # how many names an error lists


@dataclass(frozen=True)
class Problem:
    """Something under the log directory that could not be used, and why."""

    path: str
    message: Message

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "error": self.message.to_json()}


def default_block_rows(n_columns: int) -> int:
    """How many rows are read at a time."""
    n_rows = max(1, BLOCK_BYTES // (8 * max(1, n_columns)))
    return n_rows if n_rows < BLOCK_STEP else n_rows // BLOCK_STEP * BLOCK_STEP


class Blocks:
    """The rows of a matrix, block by block; each iteration is a new pass over the file.

    A pass ends with IncompleteError (`file_changed`) if the checkpoint changed since it was scanned, so numbers
    of two states are never mixed: use what a pass gave only once it has ended.
    """

    def __init__(self, matrix: Matrix, block_rows: int | None = None) -> None:
        self._matrix = matrix
        self.shape = matrix.shape
        self.n_rows, self.n_columns = matrix.shape
        self.block_rows = block_rows or default_block_rows(self.n_columns)

    def __iter__(self) -> Iterator[np.ndarray]:
        return self._matrix.read_blocks(self.block_rows)


@dataclass(frozen=True, eq=False)
class Matrix:
    """One matrix of a checkpoint: `shape` is (inputs, parameters), one row per input element."""

    checkpoint: Checkpoint
    info: MatrixInfo

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def shape(self) -> tuple[int, int]:
        return self.info.shape

    @property
    def dtype(self) -> str:
        return self.info.dtype

    @property
    def role(self) -> Role:
        return self.info.role

    @property
    def layer(self) -> str | None:
        return self.info.layer

    @property
    def has_bias(self) -> bool:
        return self.info.bias is not None

    @cached_property
    def labels(self) -> MatrixLabels | None:
        """What stands beside its rows, in a label file or in the checkpoint itself."""
        file, own = self.checkpoint.labels.get(self.name), self.info.labels
        return MatrixLabels(file, own, self.shape[0], self.checkpoint.path, self._read_own_labels) if file or own else None

    def row_labels(self) -> list[Any] | None:
        """What stands beside the rows: the first label column; None without labels. One pass over the labels."""
        return self.labels.read(self.shape[0]).columns[0].values if self.labels else None

    def label_column(self, name: str) -> list[Any]:
        """The values of one label column, one for each row; NotFoundError names the columns there are."""
        columns = self.labels.read(self.shape[0]).columns if self.labels else ()
        for column in columns:
            if column.name == name:
                return column.values
        known = list_some(column.name for column in columns)
        raise NotFoundError("unknown_column", matrix=self.name, column=name, known=known)

    def find_rows(self, names: Sequence[str]) -> list[int]:
        """Rows by what stands in their first label column (of several the first), or by number.

        Raises NotFoundError for a name that is neither. One pass over the labels.
        """
        row_of = {str(label): row for row, label in reversed(list(enumerate(self.row_labels() or []))) if label is not None}
        for name in names:
            if name not in row_of and not (name.isascii() and name.isdigit()):
                like = sorted((label for label in row_of if name.casefold() in label.casefold()), key=len)
                raise NotFoundError("unknown_label", matrix=self.name, label=name, known=list_some(like))
        return [row_of[name] if name in row_of else int(name) for name in names]

    def squared_gradients(self) -> np.ndarray | None:
        """How much each row has been updated, (V,) float64, where Adagrad trained it and the checkpoint tells: else None.

        It is the mean over the row of what Adagrad accumulates, the squares of all gradients so far, on top of the value that it
        starts from (0.1 unless the program says otherwise): rows at the smallest value were never updated.
        """
        if SQUARED_GRADIENTS not in self.info.labels:
            return None
        return self._read_own_labels()[SQUARED_GRADIENTS]  # type: ignore[return-value]

    def _read_own_labels(self) -> Mapping[str, OwnColumn]:
        with READERS.borrow(self.checkpoint.opening) as reader:
            return reader.read_labels(self.name)

    @cached_property
    def fingerprint(self) -> str:
        """Key of anything computed from this matrix and its bias.

        Where the format has a checksum of the stored bytes, equal matrices of one directory share the key, so
        that a frozen layer is computed once for all steps. Only within a directory and under one name, because
        such checksums have 32 bits: over everything that a user ever opens, two would meet. A bias has no
        checksum of its own, so with a bias the state of the files is the key.
        """
        info = self.info
        if info.checksum is not None and info.bias is None:
            return digest("content", self.checkpoint.real_folder, info.name, info.shape, info.dtype, info.checksum)
        return digest("file", self.checkpoint.fingerprint, info.name, info.bias)

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop), (stop - start, parameters), float32, or float64 where the stored type needs it."""
        if not 0 <= start <= stop <= self.shape[0]:
            needed = f"0 <= start <= stop <= {self.shape[0]}"
            raise UsageError("bad_parameter", owner="Matrix.rows", name="start, stop", needed=needed, got=(start, stop))
        with READERS.borrow(self.checkpoint.opening) as reader:
            return widen(reader.read_rows(self.name, start, stop))

    def blocks(self, block_rows: int | None = None) -> Blocks:
        """All rows in blocks of `block_rows` (by default a few MB of float64); re-iterable."""
        if block_rows is not None and block_rows < 1:
            raise UsageError("bad_parameter", owner="Matrix.blocks", name="block_rows", needed="at least 1", got=block_rows)
        return Blocks(self, block_rows)

    def read_blocks(self, block_rows: int) -> Iterator[np.ndarray]:
        """One pass over the rows, from the file. Rows without a number are none: a header may claim any number of them."""
        n_rows = self.shape[0] if self.shape[1] else 0
        with READERS.borrow(self.checkpoint.opening) as reader:
            for start in range(0, n_rows, block_rows):
                yield widen(reader.read_rows(self.name, start, min(start + block_rows, n_rows)))

    def bias(self) -> np.ndarray | None:
        """The vector added to each of the layer's outputs, float64, or None."""
        if self.info.bias is None:
            return None
        with READERS.borrow(self.checkpoint.opening) as reader:
            return reader.read_vector(self.info.bias).astype("float64")

    def __repr__(self) -> str:
        return f"<Matrix {self.name} {self.shape[0]}×{self.shape[1]} {self.dtype} of {self.checkpoint.path}>"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """One saved state of a model.

    id : path relative to its log directory, unique in its run; for TensorFlow the prefix.
    path : the path as messages show it.
    signature : state of the files on disk as the scan saw them (see `Scanner.set_aside_key`).
    """

    id: str
    path: str
    location: Location
    header: Header
    real_folder: str
    entry_state: str | None
    signature: str = ""
    labels: Mapping[str, Labels] = field(default_factory=dict)

    @property
    def step(self) -> int | None:
        return self.header.step

    @property
    def wall_time(self) -> float:
        return self.header.wall_time

    @property
    def format(self) -> str:
        return self.location.format

    @property
    def skipped(self) -> tuple[Message, ...]:
        """Why tensors that look like matrices are not among `matrices`."""
        return self.header.skipped

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever a file of the checkpoint is written or replaced."""
        location = self.location
        return digest(location.format, self.real_folder, location.name, self.header.state, self.entry_state)

    @cached_property
    def matrices(self) -> tuple[Matrix, ...]:
        return tuple(Matrix(self, info) for info in self.header.matrices)

    @cached_property
    def derived(self) -> tuple[Matrix, ...]:
        """Matrices made of these that are worth a look."""
        from tb_embfactor.logdir.derived import offered

        return offered(self.matrices)

    @cached_property
    def opening(self) -> Opening:
        return Opening(self.location, self.header.state, self.entry_state)

    def __iter__(self) -> Iterator[Matrix]:
        return iter(self.matrices)

    def __getitem__(self, name: str) -> Matrix:
        """The matrix called `name`: its whole name, else its end, else its layer, else a part of it, where that fits only one.

        An expression of such names gives what is made of them, see `tb_embfactor.logdir.derived`.
        """
        from tb_embfactor.logdir.derived import evaluate, join

        return evaluate(name, self._find, join)

    def _find(self, name: str) -> Matrix:
        found = find_named(self.header.matrices, name)
        if len(found) == 1:
            return next(matrix for matrix in self.matrices if matrix.info is found[0])
        known = list_some(info.name for info in found or self.header.matrices)
        raise NotFoundError("ambiguous_matrix" if found else "unknown_matrix", checkpoint=self.path, matrix=name, known=known)

    def __repr__(self) -> str:
        return f"<Checkpoint {self.path} step {self.step}, {len(self.header.matrices)} matrices>"


@dataclass(frozen=True, eq=False)
class Run:
    """The checkpoints of one TensorBoard run in order of step, then wall time; those that know no step come last."""

    name: str
    checkpoints: tuple[Checkpoint, ...]

    def __iter__(self) -> Iterator[Checkpoint]:
        return iter(self.checkpoints)

    def having(self, name: str) -> list[Checkpoint]:
        """The checkpoints with a matrix of this whole name, or with every part of this expression."""
        from tb_embfactor.logdir.derived import part_names

        parts = set(part_names(name))
        return [checkpoint for checkpoint in self.checkpoints if parts <= {matrix.name for matrix in checkpoint.matrices}]

    def checkpoint(self, selector: str) -> Checkpoint:
        """By id (or its unambiguous end), `step:N`, `first` or `latest`."""
        fits = [item for item in self.checkpoints if item.id == selector]
        if not fits and selector in ("first", "latest"):
            fits = list(self.checkpoints[:1] if selector == "first" else self.checkpoints[-1:])
        if not fits and selector.startswith("step:"):
            fits = [item for item in self.checkpoints if str(item.step) == selector.removeprefix("step:").strip()][-1:]
        if not fits:
            fits = [item for item in self.checkpoints if item.id.endswith("/" + selector)]
        if len(fits) != 1:
            known = list_some(item.id for item in fits or self.checkpoints)
            raise NotFoundError("unknown_checkpoint", run=self.name, checkpoint=selector, known=known)
        return fits[0]

    def __repr__(self) -> str:
        return f"<Run {self.name}, {len(self.checkpoints)} checkpoints>"


@dataclass(frozen=True)
class Scanned:
    """How much a scan has looked at. `n_runs` counts TensorBoard's runs, those without checkpoints included."""

    n_runs: int = 0
    n_directories: int = 0
    n_files: int = 0
    n_checkpoints: int = 0

    def to_json(self) -> dict[str, int]:
        return dict(vars(self))


@dataclass(frozen=True, eq=False)
class Logdir:
    """What one scan has found.

    runs : the runs that have checkpoints, by name.
    problems : what could not be used, by path.
    hints : where to look, when no checkpoint was found.
    error : why the log directory itself cannot be read.
    """

    path: str
    runs: tuple[Run, ...] = ()
    problems: tuple[Problem, ...] = ()
    scanned: Scanned = Scanned()
    hints: tuple[Message, ...] = ()
    error: Message | None = None

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def run(self, name: str) -> Run:
        for run in self.runs:
            if run.name == name:
                return run
        raise NotFoundError("unknown_run", run=name, known=list_some(run.name for run in self.runs))

    def __repr__(self) -> str:
        return f"<Logdir {self.path}, {len(self.runs)} runs, {self.scanned.n_checkpoints} checkpoints>"


def widen(rows: np.ndarray) -> np.ndarray:
    """float32 where it holds every value of the stored type (16 bits or fewer), else float64."""
    import numpy as np

    if rows.dtype in (np.float32, np.float64):
        return rows
    return rows.astype(np.float32 if rows.dtype.itemsize <= 2 else np.float64)


def find_named(matrices: Sequence[MatrixInfo], name: str) -> list[MatrixInfo]:
    """Those of this whole name; else of this end, else of this layer, else with this part."""
    for fits in (_is_name, _ends_name, _is_layer, _within_name):
        if found := [info for info in matrices if fits(info, name)]:
            return found
    return []


def _is_name(info: MatrixInfo, name: str) -> bool:
    return name == info.name or name in info.aliases


def _ends_name(info: MatrixInfo, name: str) -> bool:
    return info.name.endswith("/" + name)


def _is_layer(info: MatrixInfo, name: str) -> bool:
    return info.layer is not None and (info.layer == name or info.layer.endswith("/" + name))


def _within_name(info: MatrixInfo, name: str) -> bool:
    return bool(name) and f"/{name.replace('.', '/')}/" in f"/{info.name.replace('.', '/')}/"


def list_some(names: Iterable[str]) -> str:
    """A few names for a sentence."""
    names = list(names)
    more = f" and {len(names) - N_KNOWN} more" if len(names) > N_KNOWN else ""
    return (", ".join(names[:N_KNOWN]) or "none") + more


def digest(*parts: object) -> str:
    """A short key of everything that is given."""
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
