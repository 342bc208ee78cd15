"""The benchmark of factorizations, beside everything that one would use otherwise, in one run.

    make bench              (or: python -m benchmarks.run PACKAGES PYTHON [quick])

PACKAGES is where tests/packages.py puts the real embeddings, PYTHON one that has TensorFlow. Writes benchmarks/RESULTS.md and
benchmarks/results.svg; `quick` takes small tables, to see whether it runs, and prints the text. Needs 12 GB of memory and 5 GB
of disk, and half an hour of a machine that does nothing else.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS, OURS
from benchmarks.matrices import REAL, write
from benchmarks.measuring import in_child
from benchmarks.picture import Series, draw

HERE = Path(__file__).parent
THIN64, THIN32, _, _, COVARIANCE64, COVARIANCE32, RANDOMIZED, *_ = CONTENDERS
REPEATED = (OURS, COVARIANCE64, COVARIANCE32)  # in three rounds, for they take little
WITHOUT_GPU = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclass(frozen=True)
class Sizes:
    """large : (V, d) of the large table. tail : of the collapsed one.

    rows, columns : of the growing tables, the others being `fixed`. queries : whose neighbours are sought.
    seconds : of the training job at a time.
    """

    large: tuple[int, int] = (250_002, 768)
    tail: tuple[int, int] = (30_522, 384)
    rows: tuple[int, ...] = (4096, 8192, 16384, 32768, 65536, 131072, 262144)
    columns: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048)
    fixed: tuple[int, int] = (16384, 384)
    queries: tuple[int, ...] = (1, 100, 1000)
    seconds: float = 4.0


SMALL = Sizes((16_000, 64), (3000, 32), (2048, 4096), (32, 64), (2048, 32), (1, 10), 0.5)


def measure(real: str | None, tensorflow: str, scratch: str, sizes: Sizes) -> tuple[str, str]:
    """The text and the picture."""

    def table(kind: str, n_rows: int, d: int, dtype: str = "float32") -> str:
        return write(f"{scratch}/{kind}-{n_rows}-{d}-{dtype}.safetensors", kind, n_rows, d, dtype)

    lines = [*_head(in_child("measuring:machine"))]
    large, collapsed = table("graded", *sizes.large), table("collapsed", *sizes.large)
    if real:
        say("the real table")
        lines += _real(real)
    say("the tail")
    lines += _tail(table("collapsed", *sizes.tail), sizes.tail)
    say("the large table")
    lines += _large(large, collapsed, sizes)
    say("types")
    types = {dtype: table("graded", *sizes.large, dtype) for dtype in ("float32", "float16", "bfloat16")}
    lines += _types(in_child("contenders:passes", types, 2), in_child("contenders:share_of_dsyrk", large, 3))
    say("growth")
    rows = [(n, table("graded", n, sizes.fixed[1])) for n in sizes.rows]
    columns = [(d, table("graded", sizes.fixed[0], d)) for d in sizes.columns]
    in_rows, in_columns = _grow(rows), _grow(columns)
    lines += _growth("rows", in_rows, [_memory((OURS, COVARIANCE64), path) for _, path in rows], sizes)
    lines += _growth("columns", in_columns, [_memory((OURS, COVARIANCE64), path) for _, path in columns], sizes)
    say("neighbours")
    lines += _neighbours(([(real, "30,522 × 384")] if real else []) + [(large, _shape(sizes.large))], sizes.queries)
    say("reading")
    lines += _reading(f"{scratch}/bundle/ckpt", tensorflow, sizes.large)
    say("a training job")
    lines += _politeness(in_child("others:politeness", large, sizes.seconds, 3), sizes.seconds)
    panels = [
        (f"More rows, of {sizes.fixed[1]} columns", "rows", in_rows),
        (f"More columns, of {sizes.fixed[0]:,} rows", "columns", in_columns),
    ]
    return "\n".join(lines) + "\n", draw(panels)


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _head(about: dict[str, Any]) -> Iterator[str]:
    yield f"""# Results of the benchmark

`make bench`, {date.today():%Y-%m-%d}: {about["processors"]} processors ({about["model"]}, {about["memory"] / 1e9:.0f} GB);
{about["blas"]}, {about["versions"]}. When it began, {about["load"]:.1f} processes wanted a processor (load).

Each table is one process in which the contenders had their turns. Shown is the least time of the rounds, by the clock and of all
processors together; ratios are to tb_embfactor, in brackets those of processor time, which say more where other programs ran.
tb_embfactor reads the checkpoint in its time; the others were given the float32 array in memory. All give singular values of
the centred rows (TruncatedSVD and svds: of the rows as they are) and three components of every row. *Error*: the largest relative
error of a singular value above 1e-6·σ₁, against LAPACK in float64. *Memory*: the peak of a process of its own, beyond its
libraries, from the file to the answer.

![Seconds against rows and columns](results.svg)"""


def _real(path: str) -> Iterator[str]:
    memory = _memory((OURS, THIN32, COVARIANCE64, COVARIANCE32), path)
    yield from _table("A real table: the words of a sentence encoder, 30,522 × 384", _compare(path, (OURS, *CONTENDERS)), memory)


def _tail(path: str, shape: tuple[int, int]) -> Iterator[str]:
    found = _compare(path, (OURS, THIN32, COVARIANCE64, COVARIANCE32))
    yield from _table(f"The tail: {_shape(shape)}, three quarters of the directions at 1e-5 of the others", found, {})


def _large(large: str, collapsed: str, sizes: Sizes) -> Iterator[str]:
    memory = _memory((OURS, THIN32, COVARIANCE64), large)
    title = f"A large table: {_shape(sizes.large)}, graded as trained tables are"
    yield from _table(title, _compare(large, (OURS, *CONTENDERS)), memory)
    found = _compare(collapsed, (OURS, THIN64, THIN32, COVARIANCE64, COVARIANCE32))
    yield from _table("The large table collapsed as above", found, _memory((OURS,), collapsed))


def _compare(path: str, names: tuple[str, ...]) -> dict[str, Any]:
    return in_child("contenders:compare", path, {name: 3 if name in REPEATED else 1 for name in names})


def _memory(names: tuple[str, ...], path: str) -> dict[str, int]:
    return {name: in_child("contenders:memory", name, path) for name in names}


def _table(title: str, found: dict[str, Any], memory: dict[str, int]) -> Iterator[str]:
    yield from ["", f"## {title}", "", "| | seconds | of processors | ratio | error | memory |", "|---|---|---|---|---|---|"]
    ours = found[OURS]
    for name, item in found.items():
        passes = f" ({item['passes']} pass{'es' * (item['passes'] > 1)})" if item["passes"] else ""
        ratio = f"{item['seconds'] / ours['seconds']:.1f} ({item['cpu'] / ours['cpu']:.1f})"
        size = f"{memory[name] / 1e6:,.0f} MB" if name in memory else ""
        error = "" if item["error"] is None else f"{item['error']:.1e}"
        yield f"| {name}{passes} | {item['seconds']:.2f} | {item['cpu']:.2f} | {ratio} | {error} | {size} |"


def _types(found: dict[str, dict[str, float]], alone: dict[str, float]) -> Iterator[str]:
    yield from ["", "## One pass over the large table, by how it is stored", "", "| | seconds | of processors |", "|---|---|---|"]
    for name, item in found.items():
        yield f"| {name} | {item['seconds']:.2f} | {item['cpu']:.2f} |"
    share = f"{alone['dsyrk'] / alone['pass']:.0%}"
    yield f"""
`dsyrk` of BLAS alone, on as many rows in memory, takes {alone["dsyrk"]:.2f} s of one processor ({alone["gflops"]:.0f} GFLOP/s).
The pass, with reading, decoding, norms and zeros, takes {alone["pass"]:.2f} s of all: {share} of that rate."""


def _grow(paths: list[tuple[int, str]]) -> Series:
    series: Series = {name: [] for name in (OURS, COVARIANCE64, THIN32, RANDOMIZED)}
    for size, path in paths:
        for name, item in in_child("contenders:compare", path, dict.fromkeys(series, 3), False).items():
            series[name].append((size, item["seconds"]))
    return series


def _growth(what: str, series: Series, memory: list[dict[str, int]], sizes: Sizes) -> Iterator[str]:
    fixed = f"{sizes.fixed[1]} columns" if what == "rows" else f"{sizes.fixed[0]:,} rows"
    marks = [f"{size:,}" for size, _ in series[OURS]]
    yield from ["", f"## More {what}, of {fixed}: seconds, and memory", ""]
    yield from [f"| | {' | '.join(marks)} |", f"|---|{'---|' * len(marks)}"]
    for name, points in series.items():
        yield f"| {name} | {' | '.join(f'{seconds:.3f}' for _, seconds in points)} |"
    for name in memory[0]:
        yield f"| {name}: memory | {' | '.join(f'{peaks[name] / 1e6:,.0f} MB' for peaks in memory)} |"


def _neighbours(tables: list[tuple[str, str]], queries: tuple[int, ...]) -> Iterator[str]:
    yield """
## The ten nearest rows among all, by cosine and Euclidean distance: seconds

scikit-learn is `NearestNeighbors(algorithm="brute")` on the array in memory; the ratio is to tb_embfactor on that array.

| | rows asked for | metric | from the file | in memory | scikit-learn | ratio | the same rows |
|---|---|---|---|---|---|---|---|"""
    for path, shape in tables:
        for n_queries in queries[: 3 if path == tables[0][0] else 2]:
            for metric in ("cosine", "euclidean"):
                found = in_child("others:neighbours", path, n_queries, metric, 3)
                cells = [f"{found[who]['seconds']:.3f}" for who in ("ours", "in memory", "scikit-learn")]
                clock, cpu = (found["scikit-learn"][key] / found["in memory"][key] for key in ("seconds", "cpu"))
                ratio = f"{clock:.1f} ({cpu:.1f})"
                yield f"| {shape} | {n_queries:,} | {metric} | {' | '.join(cells)} | {ratio} | {found['same']:.2%} |"


def _reading(bundle: str, tensorflow: str, shape: tuple[int, int]) -> Iterator[str]:
    in_child("others:write_bundle", bundle, *shape, python=tensorflow, **WITHOUT_GPU)
    ours = in_child("others:read_by_us", bundle)
    theirs = in_child("others:read_by_tensorflow", bundle, python=tensorflow, **WITHOUT_GPU)
    yield from ["", f"## Reading {_shape(shape)} float32 from a TensorFlow checkpoint", ""]
    yield from ["| | import | read | rate | memory |", "|---|---|---|---|---|"]
    for name, item in ((OURS, ours), ("tf.train.load_checkpoint", theirs)):
        rate = f"{4 * shape[0] * shape[1] / item['seconds'] / 1e9:.2f} GB/s"
        yield f"| {name} | {item['import']:.1f} s | {item['seconds']:.2f} s | {rate} | {item['bytes'] / 1e6:,.0f} MB |"


def _politeness(shares: dict[str, float], seconds: float) -> Iterator[str]:
    yield f"""
## Beside a training job

Products of float32 matrices with all processors, for {seconds:g} s at a time, keep this share of their speed while the large
table is factored again and again beside them: {shares["ours"]:.0%} beside the worker of tb_embfactor with two threads, which is
lowered in priority, and {shares["ours, 1 thread"]:.0%} with one thread;
{shares["scikit-learn"]:.0%} beside scikit-learn's PCA by covariance_eigh."""


def _shape(shape: tuple[int, int]) -> str:
    return f"{shape[0]:,} × {shape[1]}"


if __name__ == "__main__":
    is_quick = sys.argv[3:] == ["quick"]
    with tempfile.TemporaryDirectory() as directory:
        text, picture = measure(
            None if is_quick else f"{sys.argv[1]}/{REAL}", sys.argv[2], directory, SMALL if is_quick else Sizes()
        )
    if is_quick:
        print(text)
    else:
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
        (HERE / "results.svg").write_text(picture, encoding="utf-8")
