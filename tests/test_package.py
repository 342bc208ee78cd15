"""What a user installs: light to import, found by TensorBoard, complete in its wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

HEAVY = {"numpy", "scipy", "sklearn", "pandas", "tensorflow", "keras", "torch", "h5py", "safetensors", "ml_dtypes"}


def run_python(code: str) -> Any:
    """What `code` prints as JSON in a Python of its own, warnings being errors there too."""
    warnings = [
        "-W",
        "error",
        "-W",
        "ignore:html5lib's sanitizer is deprecated:DeprecationWarning",
    ]  # TensorBoard's copy of bleach
    done = subprocess.run([sys.executable, *warnings, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_the_plugin_imports_nothing_but_itself() -> None:
    """TensorBoard imports the entry module at each start, whether or not the tab is ever opened."""
    added = run_python(
        "import json, sys\n"
        "from tensorboard.plugins import base_plugin\n"
        "before = set(sys.modules)\n"
        "import tb_embfactor.plugin\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    foreign = {name for name in added if name.split(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"tb_embfactor", "tb_embfactor.plugin"}


def test_starting_the_plugin_computes_nothing_in_this_process(tmp_path: Path) -> None:
    """Files are parsed, and numbers are made, in the worker process; the server's own stays small."""
    added = run_python(
        "import argparse, json, sys\n"
        "from tensorboard.backend import http_util\n"
        "from tensorboard.plugins import base_plugin\n"
        "from tb_embfactor.plugin import EmbfactorLoader\n"
        "before = set(sys.modules)\n"
        f"context = base_plugin.TBContext(logdir={str(tmp_path)!r}, flags=argparse.Namespace(embfactor_cache='none'))\n"
        "plugin = EmbfactorLoader().load(context)\n"
        "plugin.get_plugin_apps(), plugin.is_active(), plugin.frontend_metadata()\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert HEAVY.isdisjoint(name.split(".")[0] for name in added)


def test_tensorboard_finds_the_plugin_without_tensorflow() -> None:
    found = run_python(
        "import json, sys\n"
        "from tensorboard import default\n"
        "loaders = [loader for loader in default.get_dynamic_plugins() if loader.__module__.startswith('tb_embfactor')]\n"
        "print(json.dumps([[loader.__name__ for loader in loaders], 'tensorflow' in sys.modules]))"
    )
    assert found == [["EmbfactorLoader"], False]


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy, as building leaves files beside the sources."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    shutil.copytree(repository / "tb_embfactor", source / "tb_embfactor", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "LICENSE", "README.md"):
        if (repository / name).exists():
            shutil.copy(repository / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(directory)]
    done = subprocess.run(
        [*pip, str(source)], env={**os.environ, "PIP_NO_INDEX": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = directory.glob("tb_embfactor-*-py3-none-any.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile, repository: Path) -> None:
    package = repository / "tb_embfactor"
    wanted = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == {path.relative_to(repository).as_posix() for path in wanted}
    assert "tb_embfactor/static/index.js" in packed
    assert {Path(name).suffix for name in packed} <= {".py", ".js", ".txt", ".typed"}


def test_the_wheel_names_its_entry_points(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    lines = wheel.read(name).decode().splitlines()
    assert {"embfactor = tb_embfactor.plugin:EmbfactorLoader", "tb-embfactor = tb_embfactor.cli:main"} <= set(lines)
    assert any(name.endswith("/licenses/LICENSE") for name in wheel.namelist())
