"""Runs a command against two real TensorBoards: of the demo runs, and of a table that takes seconds to factor.

    python tests/e2e/run.py COMMAND [ARGUMENT ...]

TensorBoard is that of the Python that runs this script. The command finds the addresses in EMBFACTOR_URL and EMBFACTOR_LARGE_URL;
this script exits with the command's status, and shows TensorBoards' own logs where that is not 0.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90
STOP_SECONDS = 10
LARGE = 60_000, 1024


def free_port() -> int:
    with socket.create_server(("localhost", 0)) as server:
        return server.getsockname()[1]


def wait_until_ready(tensorboard: subprocess.Popen[bytes], url: str) -> None:
    """Return once the plugin has scanned the log directory and found checkpoints in it."""
    last = "no answer"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and tensorboard.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}data/plugin/embfactor/catalogue", timeout=10) as response:
                catalogue = json.load(response)
            last = f"state {catalogue['state']!r} with {len(catalogue['runs'])} runs"
            if catalogue["state"] == "ready" and catalogue["runs"]:
                return
        except (urllib.error.URLError, OSError) as error:
            last = str(error)
        time.sleep(0.2)
    if tensorboard.poll() is not None:
        raise RuntimeError(f"TensorBoard ended with status {tensorboard.returncode} before the plugin was ready.")
    raise RuntimeError(f"The plugin was not ready within {START_SECONDS} s; the last reply was: {last}.")


@contextmanager
def tensorboard(logdir: Path, scratch: Path) -> Iterator[str]:
    """The address of a TensorBoard, once the plugin is ready. Shows its log where it, or the body, fails."""
    url = f"http://localhost:{free_port()}/"
    log, cache = scratch / f"{logdir.name}.log", scratch / f"{logdir.name}-cache"
    arguments = ["--logdir", str(logdir), "--host", "localhost", "--port", url.rsplit(":", 1)[1].rstrip("/")]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", *arguments],
            env={**os.environ, "XDG_CACHE_HOME": str(cache)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(process, url)
        yield url
    except (RuntimeError, subprocess.CalledProcessError):
        print(f"---- log of the TensorBoard on {logdir.name}\n{log.read_text(errors='replace')}----", file=sys.stderr)
        raise
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def write_large(path: Path) -> None:
    """A checkpoint with one table that takes seconds to factor: normal rows, the columns as uneven as those of trained tables."""
    path.parent.mkdir()
    scale = np.geomspace(1, 0.02, LARGE[1], dtype=np.float32)
    save_file({"embedding": np.random.default_rng(0).standard_normal(LARGE, np.float32) * scale}, path)


def run(command: list[str], scratch: Path) -> int:
    large = scratch / "large" / "step_100.safetensors"
    write_large(large)
    try:
        with tensorboard(ROOT / "demo_logs", scratch) as url, tensorboard(large.parent, scratch) as large_url:
            subprocess.run(command, env={**os.environ, "EMBFACTOR_URL": url, "EMBFACTOR_LARGE_URL": large_url}, check=True)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(run(sys.argv[1:], Path(scratch)))
