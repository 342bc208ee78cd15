"""What a user installs: light to import, found by TensorBoard, complete in its wheel, with runs to try it on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from support import eventually

HEAVY = {"numpy", "scipy", "sklearn", "pandas", "tensorflow", "keras", "torch", "h5py", "safetensors", "ml_dtypes"}
DEMO_RUNS = ["article_example", "collapsed", "sentiment_factorized"]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


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
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the source distribution of a copy, as building leaves files beside the sources."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    without_caches = shutil.ignore_patterns("__pycache__")
    for name in ("tb_embfactor", "demo_logs"):
        shutil.copytree(repository / name, source / name, ignore=without_caches)
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md"):
        shutil.copy(repository / name, source)
    run([sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", str(directory)], source)
    (archive,) = directory.glob("tb_embfactor-*.tar.gz")
    run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(directory), str(archive)], directory)
    (path,) = directory.glob("tb_embfactor-*-py3-none-any.whl")
    return path


def run(command: list[str], directory: Path) -> None:
    environment = {**os.environ, "PIP_NO_INDEX": "1"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_holds_the_package_and_demo_runs_and_nothing_else(wheel: Path, repository: Path) -> None:
    package = repository / "tb_embfactor"
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    wanted = {path.relative_to(repository).as_posix() for path in files}
    runs = {path for name in DEMO_RUNS for path in (repository / "demo_logs" / name).rglob("*") if path.is_file()}
    assert sum(path.stat().st_size for path in runs) <= 2_000_000
    wanted |= {f"tb_embfactor/{path.relative_to(repository).as_posix()}" for path in runs}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == wanted
    assert "tb_embfactor/static/index.js" in packed


def test_the_wheel_names_its_entry_points(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    (name,) = (name for name in names if name.endswith("/entry_points.txt"))
    lines = zipfile.ZipFile(wheel).read(name).decode().splitlines()
    assert {"embfactor = tb_embfactor.plugin:EmbfactorLoader", "tb-embfactor = tb_embfactor.cli:main"} <= set(lines)
    assert any(name.endswith("/licenses/LICENSE") for name in names)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that imports the package from where the wheel was installed, not from the repository."""
    site = tmp_path_factory.mktemp("site")
    run([*PIP, "install", "--no-deps", "--target", str(site), str(wheel)], site)
    return {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}


@contextmanager
def demo(environment: dict[str, str], directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tb_embfactor", "demo", *arguments]
    with subprocess.Popen(command, cwd=directory, env=environment, stdout=PIPE, stderr=PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_demo_of_an_installed_package_serves_its_runs(installed: dict[str, str], tmp_path: Path) -> None:
    with demo(installed, tmp_path) as process:
        assert process.stdout is not None
        shown, _, url, _ = (process.stdout.readline() for _ in range(4))
        assert installed["PYTHONPATH"] in shown
        address = re.fullmatch(r" +(http://localhost:\d+/)#embfactor\n", url)
        assert address

        def catalogue() -> Any:
            with urllib.request.urlopen(f"{address[1]}data/plugin/embfactor/catalogue", timeout=60) as response:
                found = json.load(response)
            return found["state"] == "ready" and found

        assert [run["run"] for run in eventually(catalogue)["runs"]] == DEMO_RUNS
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_the_demo_says_when_its_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("localhost", 0)) as server:
        port = str(server.getsockname()[1])
        with demo(dict(os.environ), tmp_path, "--port", port) as process:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 2
    assert err.splitlines()[-1] == (
        f"tb-embfactor: TensorBoard could not bind to port {port}, it was already in use. "
        "Choose another --port, or leave it out to get a free one."
    )
