"""Which label file belongs to which matrix.

In order: what a `projector_config.pbtxt` says; a file that names the layer (`tok_metadata.tsv`, `metadata_tok.tsv`,
`tok_vocab.txt`, `tok_tokenizer.json`); then a plain `metadata.tsv`, `vocab.txt`, `tokenizer.json` or `vocab.json`, which is
meant for *the* embedding and therefore goes to embeddings only: to those of as many rows, or to the only embedding of the
checkpoint. A vocabulary of about as many tokens as the largest of several embeddings has rows goes to that one: tables are
padded. *Near* directories are the checkpoint's own, those up to its run's, and the run's; in the ones above (a vocabulary
shared by all runs) only a file of as many rows counts.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tb_embfactor.errors import EmbfactorError
from tb_embfactor.formats import MatrixInfo
from tb_embfactor.logdir.label_tokens import TOKENS, survey_tokens
from tb_embfactor.logdir.labels import Labels, LabelSource, are_near, file_state, survey_file
from tb_embfactor.logdir.projector_config import FILE_NAME, ConfigEntry, match_entries, metadata_file, read_config
from tb_embfactor.logdir.walk import Directory, ShownConfinement
from tb_embfactor.messages import Message

_VOCABULARIES = ("vocab.txt", "tokenizer.json", "vocab.json")
_PLAIN = ("metadata.tsv", *_VOCABULARIES)
_OF_LAYER = re.compile(r"(?P<a>.+)_metadata\.tsv|metadata_(?P<b>.+)\.tsv|(?P<c>.+)_(?:vocab\.txt|vocab\.json|tokenizer\.json)")
_FAR_FROM_NAME = re.compile(r"[^\w.-]+")
_WEIGHT_PARTS = {"embeddings", "embedding", "kernel", "weight", "w", "table"}

Refusal = tuple[str, Message]
Result = TypeVar("Result")


class LabelFiles:
    """Surveys of label files and parsed configs, kept from scan to scan by the state of the file."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[str, object]] = {}

    def survey(self, confinement: ShownConfinement, path: Path) -> LabelSource | Message:
        return self.keep("labels", path, lambda: survey(confinement, path))

    def config(self, confinement: ShownConfinement, path: Path) -> tuple[ConfigEntry, ...] | Message:
        return self.keep("config", path, lambda: read_config(confinement, path))

    def keep(self, what: str, path: Path, read: Callable[[], Result]) -> Result | Message:
        """What `read` gives, or why it gives nothing: anew when the file has changed. what : tells readings of one file apart."""
        state = file_state(path)
        kept = self._kept.get((what, str(path)))
        if kept is not None and kept[0] == state:
            return kept[1]  # type: ignore[return-value]
        result: Result | Message
        try:
            result = read()
        except EmbfactorError as error:
            result = error.message
        self._kept[what, str(path)] = (state, result)
        return result


def survey(confinement: ShownConfinement, path: Path) -> LabelSource:
    """Survey a label file of any kind, as its name says; any ReadError says why it cannot be used."""
    if path.suffix == TOKENS:
        return survey_tokens(confinement, path)
    return survey_file(confinement, path, is_table=not path.name.endswith("vocab.txt"))


@dataclass(eq=False)
class LabelDirectory:
    """The label files that one directory offers. `key` changes when any of them does."""

    plain: list[Path]
    of_layer: dict[str, Path]
    config: tuple[ConfigEntry, ...]
    config_files: dict[ConfigEntry, Path]
    refusals: list[Refusal]
    confinement: ShownConfinement
    key: tuple[str, ...]


def list_labels(
    directory: Directory, confinement: ShownConfinement, files: LabelFiles, allowed: Sequence[Path] = ()
) -> LabelDirectory:
    """What a directory offers, from its listing; only a config is opened."""
    here = Path(directory.path)
    entries = set(directory.files)
    plain = [here / name for name in _PLAIN if name in entries]
    matches = [match for match in map(_OF_LAYER.fullmatch, directory.files) if match]
    of_layer = {next(group for group in match.groups() if group): here / match[0] for match in matches}
    paths = [*plain, *of_layer.values()]
    config: tuple[ConfigEntry, ...] = ()
    config_files: dict[ConfigEntry, Path] = {}
    refusals: list[Refusal] = []
    if FILE_NAME in entries:
        parsed = files.config(confinement, here / FILE_NAME)
        paths.append(here / FILE_NAME)
        shown = confinement.show(here / FILE_NAME)
        if isinstance(parsed, Message):
            refusals.append((shown, parsed))
        else:
            config = parsed
        for entry in config:
            try:
                config_files[entry] = metadata_file(entry, directory.path, confinement, allowed)
            except EmbfactorError as error:
                refusals.append((shown, error.message))
        paths.extend(config_files.values())
    key = tuple(f"{path}:{file_state(path)}" for path in paths)
    return LabelDirectory(plain, of_layer, config, config_files, refusals, confinement, key)


def find_labels(
    matrices: Sequence[MatrixInfo], near: Sequence[LabelDirectory], far: Sequence[LabelDirectory], files: LabelFiles
) -> tuple[dict[str, Labels], list[Refusal]]:
    """Labels by matrix name, and what was in the way. `near` and `far` are in the order in which they are asked."""
    found: dict[str, Labels] = {}
    refusals: list[Refusal] = [refusal for directory in near for refusal in directory.refusals]
    embeddings = [info for info in matrices if info.role == "embedding"]

    def take(info: MatrixInfo, directory: LabelDirectory, path: Path, fits: Callable[[int, int], bool] = _any) -> bool:
        file = files.survey(directory.confinement, path)
        if isinstance(file, Message):
            refusals.append((directory.confinement.show(path), file))
            return False
        n_labels = file.n_labels(info.shape[0])
        if not fits(n_labels, info.shape[0]):
            return False
        found[info.name] = Labels(file, info.name, n_labels)
        return True

    by_name = {info.name: info for info in matrices}
    for directory in near:
        for name, entry in match_entries(directory.config, matrices).items() if directory.config else ():
            if name not in found and entry in directory.config_files:
                take(by_name[name], directory, directory.config_files[entry])
    for is_far, directory in [(False, item) for item in near] + [(True, item) for item in far]:
        for info in matrices if directory.of_layer else ():
            path = next((directory.of_layer[name] for name in layer_names(info) if name in directory.of_layer), None)
            if path is not None and info.name not in found:
                take(info, directory, path, operator.eq if is_far else _any)
    for info in embeddings:
        candidates = [(directory, path) for directory in (*near, *far) for path in directory.plain]
        _ = info.name in found or any(take(info, directory, path, operator.eq) for directory, path in candidates)
    largest = max(embeddings, key=lambda info: info.shape[0], default=None)
    if largest is not None and not any(info.name in found for info in embeddings):
        is_only = len(embeddings) == 1
        candidates = [(item, path) for item in near for path in item.plain if is_only or path.name in _VOCABULARIES]
        any(take(largest, directory, path, _any if is_only else are_near) for directory, path in candidates)
    return found, _once(refusals)


def _any(n_labels: int, n_rows: int) -> bool:
    return True


def layer_names(info: MatrixInfo) -> list[str]:
    """What a label file may call the layer of a matrix: its name or its last part, or what the matrix's name says of it."""
    name = info.name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE")
    names = [info.layer] if info.layer else []
    names.append(name)
    parts = re.split(r"[/.]", name)
    while len(parts) > 1 and parts[-1].lower() in _WEIGHT_PARTS:
        parts.pop()
    names.append("/".join(parts))
    names += [full.rsplit("/", 1)[-1] for full in names[:1] + names[-1:]]
    return list(dict.fromkeys(spelling for full in names for spelling in (full, _FAR_FROM_NAME.sub("_", full)) if spelling))


def _once(refusals: Iterable[Refusal]) -> list[Refusal]:
    return list({(path, message.text): (path, message) for path, message in refusals}.values())
