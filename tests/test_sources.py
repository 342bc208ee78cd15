"""Reading by position, only regular files, only inside the roots."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tb_embfactor.errors import ConfinementError, IncompleteError, ReadError
from tb_embfactor.sources import Confinement, SourceFile, Window


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "file").write_bytes(bytes(range(100)))
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path / "logs"


def test_reads_what_is_asked_for_and_nothing_less(root: Path) -> None:
    with Confinement([root], base=root).open(root / "file") as source:
        assert (source.size, source.name) == (100, "file")
        assert source.read_at(10, 3) == bytes([10, 11, 12])
        assert source.read_at(100, 0) == b""
        buffer = bytearray(4)
        source.read_into(96, memoryview(buffer))
        assert buffer == bytes([96, 97, 98, 99])
        for offset, n_bytes in ((98, 3), (-1, 2), (0, -1), (2**63, 1)):
            with pytest.raises(IncompleteError, match="file ends at byte 100"):
                source.read_at(offset, n_bytes)


def test_a_file_that_shrinks_while_it_is_read(root: Path) -> None:
    with Confinement([root]).open(root / "file") as source:
        before = source.fingerprint()
        os.truncate(root / "file", 50)
        with pytest.raises(IncompleteError, match="ends at byte 50"):
            source.read_at(40, 20)
        with pytest.raises(IncompleteError, match="ends at byte 50"):
            source.read_into(40, memoryview(bytearray(20)))
        assert source.fingerprint() != before


def test_a_window_shifts_and_bounds(root: Path) -> None:
    with Confinement([root]).open(root / "file") as source:
        window = Window(source, 20, 10, "file member")
        assert window.read_at(0, 10) == bytes(range(20, 30))
        with pytest.raises(IncompleteError):
            window.read_at(5, 6)
        with pytest.raises(IncompleteError):
            window.read_into(5, memoryview(bytearray(6)))
        with pytest.raises(IncompleteError, match="a part lies past the end"):
            Window(source, 95, 10)


def test_a_source_as_a_file_object(root: Path) -> None:
    with Confinement([root]).open(root / "file") as source:
        file = SourceFile(source)
        assert file.seek(-3, os.SEEK_END) == 97
        assert file.read(10) == bytes([97, 98, 99])
        assert file.read(10) == b""
        with pytest.raises(OSError, match="before the start"):
            file.seek(-1)


def test_links_out_of_the_roots_are_refused_with_the_flag_that_would_help(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "secret")
    (root / "inside").symlink_to(root / "file")
    with pytest.raises(ConfinementError, match=f"--embfactor_allow_root {root.parent}"):
        Confinement([root], base=root).open(root / "link")
    with pytest.raises(ConfinementError):
        Confinement([root]).open(root / ".." / "secret")
    Confinement([root]).open(root / "inside").close()
    Confinement([root, root.parent]).open(root / "link").close()


def test_what_is_swapped_between_check_and_open_is_still_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    confinement = Confinement([root])
    (root / "link").symlink_to(root.parent / "secret")
    monkeypatch.setattr(confinement, "check", lambda path: path)
    with pytest.raises(ConfinementError, match="secret"):
        confinement.open(root / "link")


def test_special_files_do_not_block_and_are_named(root: Path) -> None:
    os.mkfifo(root / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(root / "socket"))
    (root / "directory").mkdir()
    for name, kind in (("pipe", "a named pipe"), ("socket", "a socket"), ("directory", "a directory")):
        with pytest.raises(ReadError, match=f"is {kind}, not a regular file"):
            Confinement([root]).open(root / name)
    listener.close()
    with pytest.raises(ReadError, match="a character device"):
        Confinement([Path("/dev")]).open(Path("/dev/null"))


def test_a_missing_file(root: Path) -> None:
    with pytest.raises(IncompleteError, match="nothing is not there any more"):
        Confinement([root], base=root).open(root / "nothing")


def test_no_descriptor_is_left_open(root: Path) -> None:
    n_open = len(os.listdir("/proc/self/fd"))
    os.mkfifo(root / "pipe")
    for _ in range(50):
        with pytest.raises(ReadError):
            Confinement([root]).open(root / "pipe")
        Confinement([root]).open(root / "file").close()
    assert len(os.listdir("/proc/self/fd")) == n_open
