"""Zip archives, whose members are readable as windows of the file where they are stored, and as copies where they are deflated.

Stricter than `zipfile`, which is made for mending archives: what a hostile archive gains by telling different readers
different things is refused. The central directory is the truth, it ends where the end record begins, the members lie
one after another from the first byte, no two share a name or a byte, and each local header says what the directory says.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from tb_embfactor.copies import Chunks
from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Folder
from tb_embfactor.sources import Source, Window

MAX_DIRECTORY_BYTES = 16 << 20
MAX_MEMBERS = 100_000

_END = struct.Struct("<4s4H2IH")  # signature, disks (2), members (2), size and offset of the directory, length of the comment
_END64 = struct.Struct("<4sQ2H2I4Q")  # signature, size, versions (2), disks (2), members (2), size and offset of the directory
_LOCATOR = struct.Struct("<4sIQI")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_IN_EXTRA, _IN_EXTRA_16 = 0xFFFFFFFF, 0xFFFF  # marks a value that is written elsewhere, in 64 bits

_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 1 << 0, 1 << 3, 1 << 11
_STORED, _DEFLATED = 0, 8
_MOST_INFLATED = 1032  # bytes that one byte of a deflated stream can stand for
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Member:
    """One file of an archive. crc32 : zip's checksum of its whole content."""

    name: str
    source: Source
    header_offset: int
    stored_size: int
    size: int
    crc32: int
    flags: int
    method: int

    def open(self, folder: Folder | None = None) -> Source:
        """Its content as a source; where it is deflated, as a copy that the folder keeps, or UnsupportedError without one."""
        content = self._stored()
        if self.method == _STORED:
            return content
        if folder is None:
            raise self._unsupported(content.name, "it is compressed")
        if self.size > _MOST_INFLATED * (self.stored_size + 1):
            what = f"{self.stored_size} compressed bytes cannot unpack to the {self.size} that it states"
            raise DamagedError("file_damaged", path=content.name, what=what)
        return folder.copy(self.source, f"inflated {self.name}", self.size, lambda: self._inflate(content))

    def head(self, n_bytes: int) -> bytes:
        """The beginning of its content, not verified."""
        content = self._stored()
        if self.method == _STORED:
            return content.read_at(0, min(n_bytes, content.size))
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content.read_at(0, min(_CHUNK_BYTES, content.size)), n_bytes)

    def read(self, limit: int) -> bytes:
        """Its whole content, verified; at most `limit` bytes."""
        content = self._stored()
        if self.size > limit:
            size = f"{self.size} bytes"
            raise UnsupportedError("file_too_large", path=content.name, what="its content", size=size, limit=f"{limit} bytes")
        parts = self._inflate(content) if self.method == _DEFLATED else [content.read_at(0, content.size)]
        data = b"".join(parts)
        if (self.crc32 and zlib.crc32(data) != self.crc32) or len(data) != self.size:  # PyTorch can be told to leave it out
            raise DamagedError("file_damaged", path=content.name, what="its checksum does not fit")
        return data

    def _stored(self) -> Window:
        """Its bytes as they lie in the archive."""
        shown = f"{self.source.name} ({self.name})"
        if self.flags & _ENCRYPTED:
            raise self._unsupported(shown, "it is encrypted")
        if self.method not in (_STORED, _DEFLATED):
            raise self._unsupported(shown, f"it is compressed in a way that is not read (method {self.method})")
        if self.method == _STORED and self.size != self.stored_size:
            raise DamagedError("file_damaged", path=shown, what="it is stored, yet has two sizes")
        return Window(self.source, self._check_local_header(), self.stored_size, shown)

    def _unsupported(self, shown: str, what: str) -> UnsupportedError:
        return UnsupportedError("file_unsupported", path=shown, what=what, next="Save it again without that.")

    def _inflate(self, content: Source) -> Chunks:
        """What it unpacks to, never more than it states, and verified at the end."""
        stream, crc, n_left = zlib.decompressobj(-zlib.MAX_WBITS), 0, self.size
        for start in range(0, content.size, _CHUNK_BYTES):
            data, is_held_back = content.read_at(start, min(_CHUNK_BYTES, content.size - start)), True
            while is_held_back and n_left >= 0:
                limit = min(_CHUNK_BYTES, n_left + 1)
                chunk = stream.decompress(data, limit)
                data, is_held_back = stream.unconsumed_tail, len(chunk) == limit
                crc, n_left = zlib.crc32(chunk, crc), n_left - len(chunk)
                yield chunk
        if not stream.eof or crc != self.crc32 or n_left:
            raise DamagedError("file_damaged", path=content.name, what="it does not unpack to what its checksum says")
        return None

    def _check_local_header(self) -> int:
        """Where the content starts, if the header before it tells the same as the directory."""
        header = _LOCAL.unpack(self.source.read_at(self.header_offset, _LOCAL.size))
        signature, _, flags, method, _, _, crc32, stored_size, size, n_name, n_extra = header
        name_and_extra = self.source.read_at(self.header_offset + _LOCAL.size, n_name + n_extra)
        told = (signature, flags, method, _decode_name(name_and_extra[:n_name], flags))
        sizes = (crc32, *_resolve([size, stored_size], name_and_extra[n_name:]))
        expected_sizes = (0, 0, 0) if flags & _SIZES_FOLLOW else (self.crc32, self.size, self.stored_size)
        if told != (b"PK\3\4", self.flags, self.method, self.name) or sizes != expected_sizes:
            raise _damaged(self.source, f"the header of {self.name} says something else than the directory")
        return int(self.header_offset + _LOCAL.size + n_name + n_extra)


def list_members(source: Source) -> dict[str, Member]:
    """The members by name, in the order of the central directory."""
    n_members, offset, n_bytes = _find_directory(source)
    if n_bytes > MAX_DIRECTORY_BYTES or n_members > MAX_MEMBERS:
        what, limit = "its directory", f"{MAX_MEMBERS} members in {MAX_DIRECTORY_BYTES} bytes"
        raise UnsupportedError("file_too_large", path=source.name, what=what, size=f"{n_members} in {n_bytes}", limit=limit)
    directory = source.read_at(offset, n_bytes)
    members: dict[str, Member] = {}
    spans: list[tuple[int, int]] = []
    position = 0
    for _ in range(n_members):
        if position + _CENTRAL.size > n_bytes:
            raise _damaged(source, "its directory ends before its last member")
        fields = _CENTRAL.unpack_from(directory, position)
        signature, _, _, flags, method, _, _, crc32, stored, full, n_name, n_extra, n_comment, _, _, _, header_offset = fields
        name_at = position + _CENTRAL.size
        extra_at = name_at + n_name
        position = extra_at + n_extra + n_comment
        if signature != b"PK\1\2" or position > n_bytes:
            raise _damaged(source, "its directory is not one")
        name = _decode_name(directory[name_at:extra_at], flags)
        size, stored_size, header_offset = _resolve([full, stored, header_offset], directory[extra_at : extra_at + n_extra])
        if name in members:
            raise _damaged(source, f"it holds {name} twice")
        members[name] = Member(name, source, header_offset, stored_size, size, crc32, flags, method)
        spans.append((header_offset, header_offset + _LOCAL.size + n_name + stored_size))
    if position != n_bytes:
        raise _damaged(source, "its directory is longer than its members")
    end = 0
    for start, span_end in sorted(spans):
        if start < end or (end == 0 and start != 0):
            raise _damaged(source, "its members overlap, or something precedes them")
        end = span_end
    if end > offset:
        raise _damaged(source, "its members run into its directory")
    return members


def _find_directory(source: Source) -> tuple[int, int, int]:
    """How many members there are, and where their directory lies."""
    if source.read_at(0, min(2, source.size)) != b"PK":
        raise UnsupportedError("file_foreign", path=source.name, expected="a zip archive", got="it does not start like one")
    end = max(0, source.size - _END.size)
    signature, disk, directory_disk, n_here, n_members, size, offset, n_comment = _END.unpack(source.read_at(end, _END.size))
    if signature != b"PK\5\6":
        raise IncompleteError("file_incomplete", path=source.name, what="it does not end in the end record of a zip archive")
    if disk or directory_disk or n_here != n_members or n_comment:
        raise _damaged(source, "its end record is not that of a single archive without a comment")
    locator_at = max(0, end - _LOCATOR.size)
    told = (n_members, size, offset)
    if _IN_EXTRA in told or n_members == _IN_EXTRA_16 or source.read_at(locator_at, 4) == b"PK\6\7":  # PyTorch always has one
        signature, _, end, _ = _LOCATOR.unpack(source.read_at(locator_at, _LOCATOR.size))
        if signature != b"PK\6\7" or end + _END64.size != locator_at:
            raise _damaged(source, "it lacks the records of a large archive")
        signature, *_, n_members, size, offset = _END64.unpack(source.read_at(end, _END64.size))
        fits = all(short in (long, _IN_EXTRA, _IN_EXTRA_16) for short, long in zip(told, (n_members, size, offset), strict=True))
        if signature != b"PK\6\6" or not fits:
            raise _damaged(source, "it lacks the records of a large archive")
    if offset + size != end:
        raise _damaged(source, "its directory does not lie where the record at its end says")
    return n_members, offset, size


def _resolve(values: list[int], extra: bytes) -> list[int]:
    """Replace the values that are written in the zip64 extra field instead: size, stored size and position, in this order."""
    if _IN_EXTRA not in values:
        return values
    position = 0
    while position + 4 <= len(extra):
        kind, n_bytes = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            n_large = values.count(_IN_EXTRA)
            large = iter(struct.unpack_from(f"<{n_large}Q", extra, position + 4))
            return [next(large) if value == _IN_EXTRA else value for value in values]
        position += 4 + n_bytes
    return values


def _decode_name(name: bytes, flags: int) -> str:
    return name.decode("utf-8" if flags & _UTF8 else "cp437")


def _damaged(source: Source, what: str) -> DamagedError:
    return DamagedError("file_damaged", path=source.name, what=what)
