"""A new format is one module and one line: here the module is this file, and its checkpoints appear in the tab's catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import eventually

import tb_embfactor as ef
from tb_embfactor import arrays, formats
from tb_embfactor.formats import Folder, Format, MatrixInfo
from tb_embfactor.service import Service
from tb_embfactor.worker import Settings


class CsvReader:
    """Numbers with commas, read whole: the least that meets the Reader protocol."""

    step = 7
    wall_time = 0.0
    skipped = ()

    def __init__(self, folder: Folder, name: str) -> None:
        with folder.open(name) as source:
            text = source.read_at(0, source.size).decode()
            self._fingerprint = source.fingerprint()
        self._matrix = np.loadtxt(text.splitlines(), delimiter=",", dtype=np.float32, ndmin=2)
        self.matrices = (MatrixInfo("numbers", self._matrix.shape, "float32", "embedding"),)

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        return self._matrix[start:stop]

    def read_vector(self, name: str) -> np.ndarray:
        raise NotImplementedError

    def fingerprint(self) -> str:
        return self._fingerprint

    def close(self) -> None:
        pass


def open_reader(folder: Folder, name: str) -> CsvReader:
    return CsvReader(folder, name)


@pytest.fixture
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line. The worker imports the module by its name, so its directory has to be on the path."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setitem(formats.FORMATS, "csv", Format("csv", "test_seams", r"(?P<checkpoint>.+\.csv)", "numbers with commas"))


@pytest.mark.usefixtures("_registered")
def test_a_format_added_here_appears_in_the_catalogue_and_is_factored(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    np.savetxt(tmp_path / "model.csv", matrix, delimiter=",", fmt="%.9g")
    service = Service(Settings(logdir=str(tmp_path), formats=formats.table()))
    try:
        service.start_scan()
        catalogue = eventually(lambda: (answer := service.catalogue())["state"] == "ready" and answer)
        (checkpoint,) = catalogue["runs"][0]["checkpoints"]
        assert (checkpoint["format"], checkpoint["step"]) == ("csv", 7)
        tensors, _ = arrays.decode(service.points(".", "model.csv", "numbers", method="u"))
        assert np.allclose(np.abs(tensors["points"]), np.abs(np.linalg.svd(matrix, full_matrices=False)[0]), atol=1e-5)
    finally:
        service.close()
    values = ef.factorize(ef.open_checkpoint(tmp_path / "model.csv")["numbers"]).singular_values
    assert np.allclose(values, np.linalg.svd(matrix.astype(np.float64), compute_uv=False), rtol=1e-6)
