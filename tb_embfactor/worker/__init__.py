"""The one child process that parses foreign files and computes.

    process.py   the parent's side: a queue of jobs, progress, cancellation, restarts
    child.py     the child's main loop
    tasks.py     what the child can do
    spectra.py   the spectra that it knows
    packing.py   spectra as it keeps them in the cache

Parent and child speak over the child's stdin and stdout: a line of JSON, followed by `body_bytes` raw bytes where the
line says so. The child is lowered in priority, computes with a fixed number of threads, has a limit on its memory, and
imports nothing from the directory it was started in. A child that dies or hangs costs its job one clear error.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    """What the child is started with.

    logdir, logdir_spec : as TensorBoard was given them. allow_roots, checkpoints, labels : see the `--embfactor_…` flags.
    cache_directory : None for no cache. threads : those that compute at once. memory_gb : limit on the child's address space.
    formats : rows of the table of formats, which a test or an extension may have added to.
    """

    logdir: str = ""
    logdir_spec: str = ""
    allow_roots: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    cache_directory: str | None = None
    threads: int = 2
    memory_gb: float = 8.0
    formats: tuple[dict[str, object], ...] = field(default=())

    def to_json(self) -> dict[str, object]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Settings:
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})  # type: ignore[arg-type]
