"""What every test may use: where the files to read are, and a cache and a network that are nobody else's."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

collect_ignore = ["fixtures", "e2e"]  # programs, which need what is not installed here


@pytest.fixture(scope="session")
def repository() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def demo_logs() -> Path:
    """The committed demo runs. Read only: a test that changes a run copies it first."""
    return ROOT / "demo_logs"


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Files written by the real frameworks (tests/fixtures/write_*.py, run in an environment of their own)."""
    return _directory_in("EMBFACTOR_FIXTURES")


@pytest.fixture(scope="session")
def packages_dir() -> Path:
    """Real embeddings: unzipped packages, each in NAME-VERSION (tests/packages.py). Read only."""
    return _directory_in("EMBFACTOR_PACKAGES")


def _directory_in(variable: str) -> Path:
    named = os.environ.get(variable)
    if not named or not Path(named).is_dir():
        pytest.fail(f"{variable}={named or ''} names no directory. 'make test-python' fills one and sets it.", pytrace=False)
    return Path(named).resolve()


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or writes the user's cache; worker processes inherit this one."""
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(path))
        yield path


@pytest.fixture
def tiny() -> Iterator[None]:
    """The table of formats with the tests' own format in it."""
    import tiny_format

    from tb_embfactor import formats

    formats.register(tiny_format.FORMAT)
    yield
    del formats.FORMATS["tiny"]


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of this test alone, for tests that count what is computed."""
    path = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    return path


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """A connection to anything but this machine is a failure, whether or not there is a network to reach."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
            raise AssertionError(f"a test tried to connect to {address[0]}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        yield


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
