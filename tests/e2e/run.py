"""Runs a command against a real TensorBoard that shows the demo runs.

    python tests/e2e/run.py COMMAND [ARGUMENT ...]

TensorBoard is that of the Python that runs this script. The command finds its address in EMBFACTOR_URL; this script exits with
the command's status, and shows TensorBoard's own log where that is not 0.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90
STOP_SECONDS = 10


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


def run(command: list[str], scratch: Path) -> int:
    url = f"http://localhost:{free_port()}/"
    log = scratch / "tensorboard.log"
    environment = {**os.environ, "XDG_CACHE_HOME": str(scratch / "cache")}
    arguments = ["--logdir", str(ROOT / "demo_logs"), "--host", "localhost", "--port", url.rsplit(":", 1)[1].rstrip("/")]
    with log.open("wb") as output:
        tensorboard = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", *arguments], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    status = 1
    try:
        wait_until_ready(tensorboard, url)
        status = subprocess.run(command, env={**environment, "EMBFACTOR_URL": url}, check=False).returncode
    except RuntimeError as error:
        print(error, file=sys.stderr)
    finally:
        tensorboard.terminate()
        try:
            tensorboard.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            tensorboard.kill()
        if status != 0:
            print(f"---- TensorBoard's log\n{log.read_text(errors='replace')}----", file=sys.stderr)
    return status


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(run(sys.argv[1:], Path(scratch)))
