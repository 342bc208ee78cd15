"""The child's main loop: `python -P -m tb_embfactor.worker.child`, started by `process.py` only."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import queue
import sys
import threading
import traceback
from typing import Any, BinaryIO

from tb_embfactor.errors import EmbfactorError, MatrixError, WorkerError
from tb_embfactor.worker import Settings


def main() -> None:
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints in here must not break the frames
    faulthandler.enable()
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    start = requests.get()
    settings = Settings.from_json(start["settings"])
    _be_polite(settings)

    from tb_embfactor.linalg.crew import BLAS
    from tb_embfactor.worker.tasks import Tasks

    BLAS.settle(settings.threads)
    tasks = Tasks(settings, start["set_aside"], lambda **report: _send(output, report))
    _send(output, {"ready": True})
    while True:
        request = requests.get()
        _answer(output, tasks, request["task"], request["params"], settings)


def _answer(output: BinaryIO, tasks: Any, task: str, params: dict[str, Any], settings: Settings) -> None:
    error: EmbfactorError
    try:
        document, body = getattr(tasks, f"do_{task}")(**params)
        _send(output, {"answer": document, "body_bytes": len(body)}, body)
        return
    except EmbfactorError as raised:
        error = raised
    except Exception as raised:
        if isinstance(raised, MemoryError) or str(raised) == "can't start new thread":
            error = MatrixError("out_of_memory", task=f"{task} {params.get('matrix', '')}".strip(), limit_gb=settings.memory_gb)
        else:
            traceback.print_exc()
            error = WorkerError("internal", task=task, reason=f"{type(raised).__name__}: {raised}")
    _send(output, {"kind": type(error).__name__, **error.to_json()})


def _send(output: BinaryIO, frame: dict[str, Any], body: bytes = b"") -> None:
    output.write(json.dumps(frame).encode() + b"\n")
    output.write(body)
    output.flush()


def _read_requests(requests: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin.buffer:
        requests.put(json.loads(line))
    os._exit(0)  # the parent is gone, whatever is being computed


def _be_polite(settings: Settings) -> None:
    """Low priority, so that a training job beside us keeps its speed; a limit, so that no file can fill the memory."""
    with contextlib.suppress(OSError):
        os.nice(10)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        limit = int(settings.memory_gb * (1 << 30))
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # at once: the thread that reads the requests would hold up an orderly end
