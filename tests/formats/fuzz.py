"""Damages valid files in many ways and reads them: nothing but a result or an error of ours may come out, soon, in little memory.

    EMBFACTOR_FIXTURES=... python -m tests.formats.fuzz [MUTATIONS [SEED [TARGET]]]

MUTATIONS are those of each target. Every case runs in this process, which limits its own memory and lets itself be killed when a
case takes too long, so the test runs it as a child. Checksums would stop most damage at the door; targets that have them are
tried with and without.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from tb_embfactor import formats
from tb_embfactor.errors import EmbfactorError
from tb_embfactor.formats import Folder
from tb_embfactor.logdir.label_search import survey
from tb_embfactor.logdir.labels import Labels
from tb_embfactor.logdir.projector_config import FILE_NAME, read_config
from tb_embfactor.logdir.walk import ShownConfinement
from tests.formats.contract import read_everything

MEMORY_BYTES = 256 << 20
"""Beside what the process has when the cases start."""

SECONDS = 10
"""For a case; far above the second that any may take, as machines may be busy."""

_TEXTS = (b'"', b"[", b"{", b"}", b",", b"\n", b"\t", b"-1", b"9" * 30, b"1e999", b"NaN", b"null", b"true", b'"a"', b"[" * 5000)
LABELS = "labels"
N_LABELLED_ROWS = 1000

_NUMBERS = [0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0xFFFF, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 40, (1 << 63) - 1, (1 << 64) - 1]


@dataclass(frozen=True)
class Target:
    """A file to damage. region : where in it, as a share of its size. checkpoint : what to open, if another file.

    format : of the checkpoint; LABELS for a file of labels, which has none.
    """

    name: str
    file: str
    format: str
    checkpoint: str | None = None
    region: tuple[float, float] = (0, 1)
    checked: bool = True


TARGETS = [
    Target("tf index", "tf_functional/files/ckpt-4.index", "tf-checkpoint", "ckpt-4"),
    Target("tf index, no checksums", "tf_functional/files/ckpt-4.index", "tf-checkpoint", "ckpt-4", checked=False),
    Target("tf slices, no checksums", "tf_saver/files/model.ckpt-3.index", "tf-checkpoint", "model.ckpt-3", checked=False),
    Target("tf data", "tf_functional/files/ckpt-4.data-00000-of-00001", "tf-checkpoint", "ckpt-4"),
    Target("tf data, no checksums", "tf_functional/files/ckpt-4.data-00000-of-00001", "tf-checkpoint", "ckpt-4", checked=False),
    Target("tf keys", "hash_tables/files/tables-12.data-00000-of-00001", "tf-checkpoint", "tables-12", checked=False),
    Target("tf graph", "estimator/files/model.ckpt-4.meta", "tf-checkpoint", "model.ckpt-4"),
    Target("keras", "keras_functional/files/epoch-01.keras", "keras", checked=False),
    Target("keras, its HDF5", "keras_functional/files/epoch-01.keras", "keras", region=(0.18, 0.98)),
    Target("keras, its directory", "keras_functional/files/epoch-01.keras", "keras", region=(0.99, 1)),
    Target("keras, its configuration", "keras_functional/files/epoch-01.keras", "keras", region=(0, 0.18), checked=False),
    Target("keras, deflated", "deflated/files/small.keras", "keras"),
    Target("keras, deflated, no checksums", "deflated/files/small.keras", "keras", checked=False),
    Target("npy", "npy/files/f4_array.npy", "npy"),
    Target("npy, its header", "npy/files/columns_first.npy", "npy", region=(0, 0.1)),
    Target("npz", "npz/files/many.npz", "npz", checked=False),
    Target("npz, deflated", "npz/files/deflated_step_30.npz", "npz"),
    Target("word2vec text", "word2vec_text/files/words.vec", "text"),
    Target("table", "tables/files/both_sides_20.csv", "text"),
    Target("word2vec binary", "word2vec_binary/files/vectors_7.bin", "word2vec"),
    Target("fastText", "fasttext/files/model.bin", "fasttext"),
    Target("keras weights", "weights/files/ckpt_0007.weights.h5", "keras-hdf5"),
    Target("keras weights, gzip", "repacked/files/gzip.weights.h5", "keras-hdf5"),
    Target("keras weights, newest", "repacked/files/latest.weights.h5", "keras-hdf5"),
    Target("keras weights, lzf", "repacked/files/lzf.weights.h5", "keras-hdf5"),
    Target("keras 2 model", "keras_2/files/model.h5", "keras-hdf5"),
    Target("keras shard", "shards/files/large_300_00001.weights.h5", "keras-shards", "large_300"),
    Target("keras shards, the index", "shards/files/large_300.weights.json", "keras-shards", "large_300"),
    Target("torch", "torch_training/files/checkpoint.pth", "torch", checked=False),
    Target("torch, its pickle", "torch_whole/files/module.pt", "torch", region=(0, 0.4), checked=False),
    Target("torch, its pickle, checked", "torch_views/files/views.pt", "torch", region=(0, 0.4)),
    Target("torch, its directory", "torch_views/files/views.pt", "torch", region=(0.85, 1)),
    Target("torch, old", "torch_legacy/files/views.pt", "torch", region=(0, 0.3)),
    Target("torch, old, its storages", "torch_legacy/files/module.pt", "torch", region=(0.3, 1)),
    Target(
        "lightning", "lightning_run/files/lightning_logs/version_0/checkpoints/last.ckpt", "torch", region=(0, 0.3), checked=False
    ),
    Target("torch distributed, its metadata", "distributed_ranks/files/global_step500/.metadata", "torch-distributed", ""),
    Target("torch distributed, a rank", "distributed_ranks/files/global_step500/__1_0.distcp", "torch-distributed", ""),
    Target("torch, the index", "torch_shards/files/checkpoint-30/pytorch_model.bin.index.json", "model-shards", "pytorch_model"),
    Target("safetensors", "safetensors_types/files/types.safetensors", "safetensors"),
    Target("safetensors, a model", "hf_bert/files/checkpoint-500/model.safetensors", "safetensors", region=(0, 0.3)),
    Target("safetensors, the index", "hf_shards/files/checkpoint-20/model.safetensors.index.json", "model-shards", "model"),
    Target("safetensors, pairs of LoRA", "other_layouts/files/style.safetensors", "safetensors", region=(0, 0.5)),
    Target(
        "safetensors, settings of LoRA",
        "peft_adapter/files/checkpoint-40/adapter_config.json",
        "safetensors",
        "adapter_model.safetensors",
    ),
    Target(
        "safetensors, its trainer", "hf_trainer/files/out/checkpoint-12/trainer_state.json", "safetensors", "model.safetensors"
    ),
    Target("safetensors, configuration", "hf_bert/files/checkpoint-500/config.json", "safetensors", "model.safetensors"),
    Target("onnx", "onnx_torch/files/classifier_step_200.onnx", "onnx"),
    Target("onnx, scales of rows", "onnx_scaled_tables/files/rows_behind.onnx", "onnx"),
    Target("onnx, scales of products", "onnx_scaled_kernels/files/integer.onnx", "onnx"),
    Target("onnx, types", "onnx_types/files/types.onnx", "onnx"),
    Target("onnx, inner graphs", "onnx_graphs/files/graphs.onnx", "onnx", region=(0, 0.5)),
    Target("onnx, numbers elsewhere", "onnx_bert/files/checkpoint-500/model.onnx", "onnx"),
    Target("gensim, its pickle", "gensim_models/files/small_300.kv", "gensim"),
    Target("gensim, arrays apart", "gensim_models/files/apart.kv", "gensim"),
    Target("gensim, an array apart", "gensim_models/files/apart.kv.vectors.npy", "gensim", "apart.kv"),
    Target("projector, tensors", "projected/files/00300/tok%2femb/tensors.tsv", "text"),
    Target("projector, configuration", "projected/files/projector_config.pbtxt", LABELS),
    Target("labels, table", "projected/files/00300/tok%2femb/metadata.tsv", LABELS),
    Target("labels, tokenizer of bytes", "tokenizers/byte_level/tokenizer.json", LABELS),
    Target("labels, tokenizer of pieces", "tokenizers/unigram/tokenizer.json", LABELS),
    Target("labels, vocabulary", "tokenizers/byte_level/vocab.json", LABELS),
]


class _Anything(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


@contextlib.contextmanager
def without_checksums() -> Iterator[None]:
    places = ("leveldb_table.masked_crc32c", "bundle.mask_crc", "stored.mask_crc", "zip_archive.zlib.crc32")
    with contextlib.ExitStack() as stack:
        for place in places:
            stack.enter_context(mock.patch(f"tb_embfactor.formats.{place}", return_value=_Anything()))
        yield


def mutate(data: bytes, region: tuple[float, float], rng: random.Random) -> bytes:
    out = bytearray(data)
    low, high = (int(share * len(data)) for share in region)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(low, max(high, low + 1)) if len(out) > high - 1 else rng.randrange(len(out) or 1)
        kind = rng.randrange(9)
        if kind <= 2:
            out[at : at + 1] = bytes([rng.randrange(256)])
        elif kind <= 4:
            width = rng.choice((1, 2, 4, 8))
            out[at : at + width] = (rng.choice(_NUMBERS) & (1 << 8 * width) - 1).to_bytes(width, "little")
        elif kind == 5:
            n_bytes, source = rng.randrange(1, 65), rng.randrange(len(data))
            out[at : at + n_bytes] = data[source : source + n_bytes]
        elif kind == 6:
            out[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif kind == 7:
            out[at : at + rng.choice((0, 1))] = rng.choice(_TEXTS)
        else:
            del out[at : at + rng.choice((1, 2, 8, 100, len(data)))]
    return bytes(out)


def read(target: Target, directory: Path, name: str) -> None:
    """Everything that there is to read."""
    confinement = ShownConfinement([directory], directory)
    if target.format != LABELS:
        reader = formats.get(target.format).open_reader(Folder(directory, confinement), name)
        try:
            read_everything(reader)
            reader.fingerprint()
        finally:
            reader.close()
    elif name == FILE_NAME:
        read_config(confinement, directory / name)
    else:
        file = survey(confinement, directory / name)
        Labels(file, "matrix", file.n_labels(N_LABELLED_ROWS)).read(N_LABELLED_ROWS)


def run(target: Target, fixtures: Path, n_mutations: int, seed: int) -> tuple[Counter[str], float, int]:
    """Outcomes by name, the longest time of the processor in seconds, and the mutation that took it."""
    rng = random.Random(f"{target.name} {seed}")
    original = fixtures / target.file
    data, outcomes, slowest, slowest_number = original.read_bytes(), Counter[str](), 0.0, 0
    name = original.name if target.checkpoint is None else target.checkpoint
    with tempfile.TemporaryDirectory() as directory, contextlib.nullcontext() if target.checked else without_checksums():
        for path in original.parent.glob(f"{name}*"):
            shutil.copy(path, directory)
        for number in range(n_mutations):
            (Path(directory) / original.name).write_bytes(mutate(data, target.region, rng))
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            started = time.process_time()
            try:
                read(target, Path(directory), name)
                outcome = "read"
            except EmbfactorError as error:
                outcome = type(error).__name__
                if isinstance(error.__cause__, MemoryError):
                    raise AssertionError(f"{target.name}: mutation {number} of seed {seed} takes too much memory") from error
            except BaseException:
                print(f"{target.name}: mutation {number} of seed {seed} got through", file=sys.stderr)
                raise
            slowest, slowest_number = max((slowest, slowest_number), (time.process_time() - started, number))
            outcomes[outcome] += 1
    faulthandler.cancel_dump_traceback_later()
    return outcomes, slowest, slowest_number


def main() -> None:
    n_mutations = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    fixtures = Path(os.environ["EMBFACTOR_FIXTURES"])
    targets = [target for target in TARGETS if len(sys.argv) < 4 or sys.argv[3] in target.name]
    for target in targets:
        run(target, fixtures, 1, seed)  # imports
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
    if used:
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES,) * 2)
    for target in targets:
        outcomes, slowest, number = run(target, fixtures, n_mutations, seed)
        counts = ", ".join(f"{count} {name}" for name, count in outcomes.most_common())
        print(f"{target.name:30} slowest {slowest * 1000:6.1f} ms ({number})   {counts}", flush=True)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{n_mutations * len(targets):,} mutations of {len(targets)} files, seed {seed}; most memory {most} MB")


if __name__ == "__main__":
    main()
