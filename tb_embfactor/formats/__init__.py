"""The checkpoint formats: a table of names and patterns, and the protocol that a format module meets.

A format is one module with one function, `open_reader(folder, name) -> Reader`, and one line in `FORMATS`.
The table alone decides by file name which format a directory entry belongs to; a module is imported when
the first of its checkpoints is opened. What a reader must promise is on `Reader`; the contract suite
`tests/formats/contract.py` holds every format to it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Union

from tb_embfactor.copies import Chunks, Copies, Copy
from tb_embfactor.errors import IncompleteError, NotFoundError, UsageError
from tb_embfactor.messages import Message
from tb_embfactor.sources import Confinement, FileSource, Source

if TYPE_CHECKING:
    import numpy as np

Role = Literal["embedding", "kernel", "other"]
OwnColumn = Union["np.ndarray", list[str]]  # numbers, or text
SQUARED_GRADIENTS = "squared gradients"
"""The column that tells how much each row was updated: the mean over the row of what Adagrad has accumulated, float64."""


@dataclass(frozen=True)
class MatrixInfo:
    """What a checkpoint says of one matrix, before any of its numbers is read.

    shape : (inputs, parameters), whatever the axis order of the stored tensor.
    dtype : how it is stored, as numpy or ml_dtypes names it ("float32", "bfloat16", ...).
    role : "embedding" and "kernel" from the structure of the model (object graph, layer classes), not from names alone.
    bias : name of the vector added to each of its *outputs* in the same checkpoint, to be read by `Reader.read_vector`.
    layer : name of the layer as its author wrote it, where the checkpoint knows it.
    stored_name : what the file itself calls the tensor, where that is another name; a projector's configuration uses it.
    aliases : further names of the same numbers (tied weights).
    labels : names of the columns of labels that lie in the checkpoint itself (tokens, keys), to be read by `Reader.read_labels`.
    checksum : the format's own checksum of the stored bytes, where there is one; equal numbers have an equal checksum.
    """

    name: str
    shape: tuple[int, int]
    dtype: str
    role: Role
    bias: str | None = None
    layer: str | None = None
    checksum: str | None = None
    stored_name: str | None = None
    labels: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class Reader(Protocol):
    """An open checkpoint. Opening reads headers only; only errors of ours leave any of its methods.

    step : training step from inside the checkpoint or from its name; None where neither tells.
    wall_time : seconds since the epoch, from inside the checkpoint or from the file's modification time.
    matrices : each once: no optimizer slots, no second copy of one variable, tied weights under one name.
    skipped : why a tensor that looks like a matrix is not among them.
    """

    step: int | None
    wall_time: float
    matrices: tuple[MatrixInfo, ...]
    skipped: tuple[Message, ...]

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop) of a matrix, (stop - start, parameters), in the stored dtype and native byte order."""
        ...

    def read_vector(self, name: str) -> np.ndarray:
        """A whole vector (a bias), 1-D, in the stored dtype."""
        ...

    def read_labels(self, name: str) -> Mapping[str, OwnColumn]:
        """The columns that `MatrixInfo.labels` names, each with an entry for every row of the matrix."""
        ...

    def fingerprint(self) -> str:
        """Changes whenever any file of the checkpoint is written or replaced; checked before and after each pass."""
        ...

    def close(self) -> None: ...


def is_bare_name(name: object) -> bool:
    """Whether it names an entry of a directory, and no way out of it."""
    return isinstance(name, str) and name not in ("", ".", "..") and not any(character in name for character in "/\\\0")


@dataclass(frozen=True)
class Folder:
    """A directory as a format sees it: its entries by bare name, opened through confinement only.

    copies : where bytes are kept that can only be made from the first one on.
    """

    path: Path
    confinement: Confinement
    copies: Copies = field(default_factory=Copies)

    def open(self, name: str) -> FileSource:
        """Open an entry. Only bare names: what a checkpoint says of other files is never trusted as a path."""
        if not is_bare_name(name):
            raise UsageError("bad_parameter", owner="checkpoint", name="file name", needed="a bare name", got=name)
        return self.confinement.open(self.path / name)

    def copy(self, source: Source, what: str, size: int, make: Callable[[], Chunks]) -> Copy:
        """The `size` bytes that `make` makes of an entry, as a source; the last ones are an error if it changed meanwhile.

        what : which of all that could be made of the entry; another name whenever `make` learns to do it better.
        """
        state = source.fingerprint()

        def make_of_one_state() -> Chunks:
            appendix = yield from make()
            if source.fingerprint() != state:
                raise IncompleteError("file_changed", path=source.name)
            return appendix

        place = f"{self.path}\0{source.name}\0{state}\0{what}".encode("utf-8", "surrogateescape")
        return self.copies.open(hashlib.blake2b(place, digest_size=20).hexdigest(), source.name, size, make_of_one_state)


@dataclass(frozen=True)
class Format:
    """One line of the table.

    pattern : regular expression a whole file name must match; the group `checkpoint` names the checkpoint
        (several files of one checkpoint give the same name).
    whole : of the names of checkpoints that are all that their directory is there for, which is then what they are called.
        Several in one directory are one model in several formats, and the first in the order of the table counts; the group
        `kind`, if the pattern has it, tells different models from each other.
    companions : files beside a checkpoint that say more of it, so that it is read again when they change.
    part : of further files, which are none themselves where the checkpoint is there that the group `checkpoint` names.
    is_directory : the pattern is matched against directories instead of files.
    has_common_names : other programs use such names, too, so a file that turns out to be foreign is no problem worth telling,
        unless somebody named that very file.
    telling : of names so common that only those which this is found in are worth a word when they cannot be opened, and worth
        a look where a directory has very many.
    package : what to pip install where the module needs more than the plugin itself.
    """

    name: str
    module: str
    pattern: str
    description: str
    whole: str | None = None
    companions: tuple[str, ...] = ()
    part: str | None = None
    is_directory: bool = False
    has_common_names: bool = False
    telling: str | None = None
    package: str | None = None

    def claims(self, entry: str) -> str | None:
        """The checkpoint's name if the directory entry `entry` belongs to this format."""
        return _match(self.pattern, entry)

    def whole_kind(self, name: str) -> str | None:
        """Which model of its directory the checkpoint `name` is, if it stands for the directory."""
        match = _compile(self.whole).fullmatch(name) if self.whole is not None else None
        return match and (match.groupdict().get("kind") or "")

    def is_telling(self, name: str) -> bool:
        """Whether a name, beside that it fits, says that the file is of this format."""
        return self.telling is None or _compile(self.telling).search(name) is not None

    def part_of(self, file: str) -> str | None:
        """The name of the checkpoint that `file` belongs to, if that is there."""
        return _match(self.part, file) if self.part else None

    def open_reader(self, folder: Folder, name: str) -> Reader:
        """Open the checkpoint `name` (as `claims` returned it) of a folder."""
        try:
            module = importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            if self.package is None:
                raise
            raise UsageError("library_missing", format=self.name, package=self.package) from error
        return module.open_reader(folder, name)


@functools.cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def _match(pattern: str, entry: str) -> str | None:
    match = _compile(pattern).fullmatch(entry)
    return match["checkpoint"] if match else None


TELLING = r"(?i)(?<![a-z])(emb(ed(ding)?s?)?s?|vec(tor)?s?|word2vec|w2v|glove|fasttext|tensors?|wte|code_?books?)(?![a-z])"
"""What names of files say that hold embeddings."""

GENSIM_ENDING = r"\.(model|kv|wv|w2v|d2v|mdl|keyedvectors|wordvectors|gensim)"
"""Endings that people give to what gensim saves, which has none of its own."""

LABEL_FILE = r"(.+_)?metadata(_.+)?\.tsv|(.+_)?vocab\.txt"
"""Names of the files in which labels are looked for, and no matrices."""

FORMATS: dict[str, Format] = {}


def register(fmt: Format) -> None:
    """Add a format to the table. The worker process is given the whole table when it starts."""
    FORMATS[fmt.name] = fmt


def table() -> tuple[dict[str, Any], ...]:
    """The table as plain data; `register(Format(**row))` for each row makes it again in another process."""
    return tuple({f.name: getattr(fmt, f.name) for f in fields(fmt)} for fmt in FORMATS.values())


def parts(files: Sequence[str]) -> dict[str, str]:
    """The files that belong to a checkpoint which another file stands for, each with the name of that checkpoint."""
    found: dict[str, str] = {}
    for fmt in FORMATS.values():
        if fmt.part is not None and (named := {file: name for file in files if (name := fmt.part_of(file)) is not None}):
            there = {fmt.claims(file) for file in files}
            found |= {file: name for file, name in named.items() if name in there}
    return found


def find(files: Sequence[str], directories: Sequence[str] = ()) -> Iterator[tuple[Format, str]]:
    """Each (format, checkpoint name) among the entries of one directory, once, in the order of the entries."""
    seen: set[tuple[str, str]] = set()
    for is_directory, entries in ((False, files), (True, directories)):
        for entry in entries:
            for fmt in FORMATS.values():
                name = fmt.claims(entry) if fmt.is_directory == is_directory else None
                if name is not None and (fmt.name, name) not in seen:
                    seen.add((fmt.name, name))
                    yield fmt, name


def get(name: str) -> Format:
    try:
        return FORMATS[name]
    except KeyError:
        raise NotFoundError(
            "bad_parameter", owner="formats", name="format", needed=f"one of {sorted(FORMATS)}", got=name
        ) from None


_HUGGING_FACE = ("config.json", "adapter_config.json", "trainer_state.json")

for _format in (
    Format(
        "tf-checkpoint",
        "tb_embfactor.formats.tf_bundle",
        r"(?P<checkpoint>.*)\.index",
        "TensorFlow checkpoint (PREFIX.index and PREFIX.data-…), as tf.train.Checkpoint and Keras 2 write it",
        has_common_names=True,
    ),
    Format(
        "safetensors",
        "tb_embfactor.formats.safetensors_file",
        r"(?P<checkpoint>.+\.safetensors)",
        "safetensors (.safetensors), as Hugging Face's libraries write it",
        whole=r"(?P<kind>adapter_)?model\.safetensors|diffusion_pytorch_model\.safetensors",
        companions=_HUGGING_FACE,
    ),
    Format(
        "torch",
        "tb_embfactor.formats.torch_file",
        r"(?P<checkpoint>.+\.(pt|pth|bin|ckpt|(pt|pth)\.tar))",
        "PyTorch (.pt, .pth, .bin, .ckpt), as torch.save and Lightning write it",
        whole=r"pytorch_model\.bin|(?P<kind>adapter_)?model\.bin|diffusion_pytorch_model\.bin",
        companions=_HUGGING_FACE,
        has_common_names=True,
    ),
    Format(
        "torch-distributed",
        "tb_embfactor.formats.torch_distributed",
        r"(?P<checkpoint>)\.metadata",
        "distributed checkpoint of PyTorch (a directory with .metadata and __R_N.distcp)",
        whole="",
        companions=_HUGGING_FACE,
        part=r"(?P<checkpoint>)__\d+_\d+\.distcp",
        has_common_names=True,
    ),
    Format(
        "onnx",
        "tb_embfactor.formats.onnx_file",
        r"(?P<checkpoint>.+\.onnx)",
        "ONNX (.onnx, and the files beside it that hold its numbers)",
        whole=r"model\.onnx",
        part=r"(?P<checkpoint>.+\.onnx)[._-]data",
    ),
    Format(
        "gguf",
        "tb_embfactor.formats.recognized",
        r"(?P<checkpoint>.+\.gguf)",
        "GGUF (.gguf): recognised, not read",
    ),
    Format(
        "orbax",
        "tb_embfactor.formats.recognized",
        r"(?P<checkpoint>)_METADATA",
        "Orbax, of JAX (a directory with _METADATA): recognised, not read",
        whole="",
    ),
    Format(
        "model-shards",
        "tb_embfactor.formats.model_shards",
        r"(?P<checkpoint>.+)\.(safetensors|bin)\.index\.json",
        "a model in several files (NAME.safetensors.index.json or NAME.bin.index.json, and NAME-0000N-of-0000N.…)",
        whole=r"(diffusion_)?(pytorch_)?model",
        companions=_HUGGING_FACE,
        part=r"(?P<checkpoint>.+)-\d{5}-of-\d{5}\.(safetensors|bin)",
    ),
    Format(
        "keras",
        "tb_embfactor.formats.keras_files",
        r"(?P<checkpoint>.+\.keras)",
        "Keras model file (.keras)",
    ),
    Format(
        "keras-hdf5",
        "tb_embfactor.formats.keras_files",
        r"(?P<checkpoint>.+\.(h5|hdf5))",
        "Keras weights (.weights.h5), and models and weights of Keras 2 (.h5)",
        whole=r"tf_model\.h5",
        has_common_names=True,
    ),
    Format(
        "npy",
        "tb_embfactor.formats.npy",
        r"(?P<checkpoint>.+\.npy)",
        "numpy array (.npy)",
        has_common_names=True,
        telling=TELLING,
    ),
    Format(
        "npz",
        "tb_embfactor.formats.npz",
        r"(?P<checkpoint>.+\.npz)",
        "archive of numpy arrays (.npz)",
        has_common_names=True,
        telling=TELLING,
    ),
    Format(
        "text",
        "tb_embfactor.formats.text_vectors",
        rf"(?!{LABEL_FILE}$)(?P<checkpoint>.+\.(vec|txt|tsv|csv))",
        "vectors in text: word2vec, GloVe, fastText (.vec, .txt), tables (.csv, .tsv), the projector's tensors",
        has_common_names=True,
        telling=TELLING,
    ),
    Format(
        "word2vec",
        "tb_embfactor.formats.word2vec_binary",
        r"(?P<checkpoint>.+\.bin)",
        "vectors in word2vec's binary format (.bin)",
        has_common_names=True,
        telling=TELLING,
    ),
    Format(
        "gensim",
        "tb_embfactor.formats.gensim_model",
        rf"(?P<checkpoint>.+{GENSIM_ENDING})",
        "model or vectors of gensim (.model, .kv, .w2v, …, and the .npy files beside it)",
        part=rf"(?P<checkpoint>.+?{GENSIM_ENDING})(\.\w+){{1,3}}\.npy",
        has_common_names=True,
    ),
    Format(
        "fasttext",
        "tb_embfactor.formats.fasttext_binary",
        r"(?P<checkpoint>.+\.bin)",
        "model of fastText (.bin)",
        has_common_names=True,
        telling=TELLING,
    ),
    Format(
        "keras-shards",
        "tb_embfactor.formats.keras_shards",
        r"(?P<checkpoint>.+)\.weights\.json",
        "Keras weights in several files (NAME.weights.json and NAME_0000N.weights.h5)",
        part=r"(?P<checkpoint>.+)_\d{5}\.weights\.h5",
    ),
):
    register(_format)
