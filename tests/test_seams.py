"""A new format is one module and one line: that of CONTRIBUTING.md, and one of this file, which appears in the tab."""

from __future__ import annotations

import os
import re
import struct
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from support import eventually

import tb_embfactor as ef
from tb_embfactor import arrays, formats
from tb_embfactor.formats import Folder, Format, MatrixInfo, stored
from tb_embfactor.service import Service
from tb_embfactor.worker import Settings
from tests.formats.contract import Checkpoint, Contract


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


def test_the_example_of_contributing_meets_the_contract(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    module, line, test = (
        textwrap.dedent(block) for block in re.findall(r"^ +```python\n(.*?)^ +```$", text, re.DOTALL | re.MULTILINE)
    )
    fmt = eval(line.rstrip().removesuffix(","), {"Format": Format})
    made = ModuleType(fmt.module)
    vars(made).update({name: getattr(stored, name) for name in ("Piece", "StoredTensor", "FileTensors", "opening")})
    vars(made).update(Folder=Folder, MatrixInfo=MatrixInfo, np=np, os=os, struct=struct)
    exec("from __future__ import annotations\n" + module, vars(made))
    monkeypatch.setitem(sys.modules, fmt.module, made)
    monkeypatch.setitem(formats.FORMATS, fmt.name, fmt)

    values = np.arange(30, dtype=np.float32).reshape(10, 3)
    (tmp_path / "a.tiny").write_bytes(struct.pack("<3I", 10, 3, 7) + values.tobytes())
    told = [
        {"name": "table", "shape": [10, 3], "dtype": "float32", "role": "embedding", "layer": None, "bias": None, "labels": {}}
    ]
    checkpoint = Checkpoint(tmp_path, "tiny", "a.tiny", 7, 0, told, {"table": values})
    scope = {"Contract": Contract, "Checkpoint": Checkpoint, "pytest": pytest, "load_case": None, "Path": Path}
    exec("from __future__ import annotations\n" + test, scope)
    contract = scope["TestFiles"]()
    contract.test_lists_what_is_there([checkpoint])
    contract.test_rows_are_the_frameworks_to_the_bit([checkpoint], 3)
    contract.test_rows_that_are_not_there(checkpoint)
    contract.test_truncated_anywhere_is_an_error_of_ours(checkpoint, tmp_path / "cut")
    contract.test_fingerprint_tells_one_state_from_another(checkpoint, tmp_path / "copy")
    contract.test_closed_twice_and_not_readable_afterwards(checkpoint)
    assert ef.open_logdir(tmp_path).run(".").checkpoint("step:7")["table"].rows(9, 10).tolist() == values[9:].tolist()
