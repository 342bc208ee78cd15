"""Files that a file names, as those of its numbers: opened when first asked for, and from its own directory only."""

from __future__ import annotations

from contextlib import ExitStack

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Folder, is_bare_name
from tb_embfactor.sources import FileSource

MAX_FILES = 1000


class FilesBeside:
    """opened : what closes them. found : the open ones by name, the first of which names the others."""

    def __init__(self, folder: Folder, name: str, opened: ExitStack) -> None:
        self._folder, self._opened = folder, opened
        self.first = opened.enter_context(folder.open(name))
        self.found = {name: self.first}
        self._missing: set[str] = set()

    def open(self, name: str) -> FileSource | None:
        """None where it is not there; DamagedError for the name of a file that lies elsewhere."""
        if not is_bare_name(name):
            raise DamagedError("file_damaged", path=self.first.name, what="it names files that do not lie beside it")
        if name not in self.found and name not in self._missing:
            if len(self.found) + len(self._missing) >= MAX_FILES:
                size, limit = f"more than {MAX_FILES}", f"{MAX_FILES}"
                raise UnsupportedError("file_too_large", path=self.first.name, what="the number of files", size=size, limit=limit)
            try:
                self.found[name] = self._opened.enter_context(self._folder.open(name))
            except IncompleteError:
                self._missing.add(name)
        return self.found.get(name)
