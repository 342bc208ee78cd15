"""Which directory entries are checkpoints, by name alone, and in which state their files are."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tb_embfactor import formats
from tb_embfactor.logdir.walk import Directory, is_checkpoint_directory, readable
from tb_embfactor.sources import stat_fingerprint

MAX_UNTOLD = 200  # files of one format in one directory whose names do not say that they are of it: more are data
_NOT_OPENED = frozenset({"outside_roots", "not_regular_file", "file_unreadable", "file_missing"})
_PART = re.compile(r"part-\d{5}-of-\d{5}")
_Found = tuple[bool, str]  # whether it is a directory, and the name of the checkpoint


@dataclass(frozen=True)
class Candidate:
    """A directory entry that some format claims by its name. `choices` are those formats; the first that can read it counts.

    files : the paths that its state is known by: the entry, its further files, and what begins with the checkpoint's name and a
        dot (a TensorFlow shard, which no pattern claims); all that lies inside for a checkpoint that is a directory.
    is_whole, is_copy : its directory is there for it alone, or it holds what another one there holds (`Format.whole`).
    """

    folder: str
    relative: str
    name: str
    entry: str
    choices: tuple[formats.Format, ...]
    files: tuple[str, ...]
    is_whole: bool = False
    is_copy: bool = False

    @property
    def id(self) -> str:
        """Path of the checkpoint within its root; its directory's if it stands for that, and `DIR/` where the name is empty."""
        if self.is_whole and self.relative != ".":
            return readable(self.relative)
        return readable(self.name if self.relative == "." and self.name else f"{self.relative}/{self.name}")

    @property
    def is_directory(self) -> bool:
        return self.choices[0].is_directory

    def is_likely_foreign(self, code: str) -> bool:
        """Whether the error `code` says no more than that a file of a common name is no checkpoint."""
        if code == "file_foreign":
            return all(fmt.has_common_names for fmt in self.choices)
        return code in _NOT_OPENED and not any(fmt.is_telling(self.name) for fmt in self.choices)

    def state(self) -> tuple[str, str | None]:
        """The state of all its files as one key, and that of its entry (None for a directory)."""
        states = {path: _file_state(path) for path in self.files}
        text = "\n".join(f"{path}:{state}" for path, state in states.items()).encode("utf-8", "surrogateescape")
        entry_state = None if self.is_directory else states[f"{self.folder}/{self.entry}"]
        return hashlib.blake2b(text, digest_size=12).hexdigest(), entry_state


def find_candidates(directories: Iterable[Directory]) -> Iterator[Candidate]:
    """The checkpoints among the entries of listed directories. What lies in a directory that is a checkpoint is part of it."""
    listing = list(directories)
    inside: dict[str, list[str]] = {}  # the files in each directory that is a checkpoint
    for directory in listing:
        for name in directory.directories:
            if is_checkpoint_directory(name) and _owner(_join(directory.relative, name), inside) is None:
                inside[_join(directory.relative, name)] = []
    owners = [_owner(directory.relative, inside) for directory in listing]
    for directory, owner in zip(listing, owners, strict=True):
        if owner is not None:
            inside[owner] += [f"{directory.path}/{name}" for name in directory.files]
    for directory, owner in zip(listing, owners, strict=True):
        if owner is None:
            yield from _candidates_in(directory, inside)


def impostors(directory: Directory) -> list[str]:
    """Directories that bear the name of a checkpoint file: most likely a checkpoint gone wrong."""
    own = [fmt for fmt in formats.FORMATS.values() if not fmt.has_common_names]
    claimed = [name for name in directory.directories if any(fmt.claims(name) for fmt in own)]
    return [name for name in claimed if not is_checkpoint_directory(name)]


def _candidates_in(directory: Directory, inside: Mapping[str, Sequence[str]]) -> Iterator[Candidate]:
    found: dict[_Found, list[formats.Format]] = {}
    parts = formats.parts(directory.files)
    claims = list(formats.find([file for file in directory.files if file not in parts], directory.directories))
    n_untold = Counter(fmt.name for fmt, name in claims if not fmt.is_telling(name))
    for fmt, name in claims:
        if not _is_temporary(directory.relative, name) and (n_untold[fmt.name] <= MAX_UNTOLD or fmt.is_telling(name)):
            found.setdefault((fmt.is_directory, name), []).append(fmt)
    files = _files_by_name(directory.files, {name for is_directory, name in found if not is_directory}, parts)
    wholes, copies = _find_wholes(found)
    for (is_directory, name), choices in found.items():
        path = f"{directory.path}/{name}"
        entry, paths = name, [path, *inside.get(_join(directory.relative, name), ())]
        if not is_directory:
            entry = next(file for file in files[name] if choices[0].claims(file) == name)
            companions = {companion for fmt in choices for companion in fmt.companions}
            paths = [f"{directory.path}/{file}" for file in directory.files if file in companions or file in files[name]]
        is_whole, is_copy = (is_directory, name) in wholes, (is_directory, name) in copies
        yield Candidate(directory.path, directory.relative, name, entry, tuple(choices), tuple(paths), is_whole, is_copy)


def _find_wholes(found: Mapping[_Found, Sequence[formats.Format]]) -> tuple[set[_Found], set[_Found]]:
    """What stands for the directory, if that is one model; and what holds a model of the directory once more."""
    order = list(formats.FORMATS)
    kinds: dict[str, list[_Found]] = {}
    for key, choices in sorted(found.items(), key=lambda item: order.index(item[1][0].name)):
        for kind in {kind for fmt in choices if (kind := fmt.whole_kind(key[1])) is not None}:
            kinds.setdefault(kind, []).append(key)
    wholes = {keys[0] for keys in kinds.values()} if len(kinds) == 1 else set()
    return wholes, {key for keys in kinds.values() for key in keys[1:]}


def _files_by_name(files: Sequence[str], names: set[str], parts: Mapping[str, str]) -> dict[str, list[str]]:
    """For each checkpoint name its files. Looks up each dotted beginning of a file name, so the cost is linear in the files."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for file in files if names else ():
        beginnings = {file[:index] for index, letter in enumerate(file) if letter == "."}
        claims = {fmt.claims(file) for fmt in formats.FORMATS.values() if not fmt.is_directory}
        for name in names.intersection(beginnings | claims | {parts.get(file)}):
            found[name].append(file)
    return found


def _is_temporary(relative: str, name: str) -> bool:
    """Hidden files are somebody's temporary files (an empty TensorFlow prefix is no name); TensorFlow begins in PREFIX_temp."""
    return name.startswith(".") or (relative.endswith("_temp") and _PART.fullmatch(name) is not None)


def _owner(relative: str, owners: Mapping[str, object]) -> str | None:
    """The directory checkpoint that a directory is or lies in."""
    while owners and relative not in owners:
        relative, slash, _ = relative.rpartition("/")
        if not slash:
            return relative if relative in owners else None
    return relative if owners else None


def _join(relative: str, name: str) -> str:
    return name if relative == "." else f"{relative}/{name}"


def _file_state(path: str) -> str:
    try:
        return stat_fingerprint(os.stat(path))
    except OSError as error:
        return f"errno {error.errno}"
