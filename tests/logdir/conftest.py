from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the tiny format is imported by name, as every format is
import npmat_format

from tb_embfactor.logdir import READERS


@pytest.fixture(autouse=True)
def _npmat_formats() -> Iterator[None]:
    """The tiny formats are known during a test, and no test leaves a file open."""
    with npmat_format.registered(*npmat_format.FORMATS):
        npmat_format.OPENED.clear()
        yield
    READERS.close()
    assert npmat_format.TinyReader.n_open == 0
