"""Training, and what it leaves behind: checkpoints and scalars at the same steps for every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from training.reviews import SEED, Reviews

BATCH_SIZE = 64
STEPS = (0, 10, 30, 100, 300, 800, 1600, 3000)
"""When checkpoints are saved: before the first step, then roughly geometrically, as early steps change the most."""

SCALARS_EVERY = 50

Save = Callable[[int], object]
"""Saves a model the way of its run, at the given step."""


def keras_files(model: keras.Model, directory: Path) -> Save:
    return lambda step: model.save(directory / f"step_{step:04}.keras")


def tensorflow_checkpoints(directory: Path, **parts: tf.Module) -> Save:
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(**parts), str(directory), max_to_keep=None)
    return lambda step: manager.save(checkpoint_number=step)


class Recorder:
    """Writes a checkpoint at each of STEPS, and scalars every SCALARS_EVERY steps.

    train, validation : where each part's scalars go, as (directory, prefix of the tags). The same directory is one event file.
    """

    def __init__(self, save: Save, train: tuple[Path, str], validation: tuple[Path, str]) -> None:
        self._save = save
        self._parts = {"train": train, "validation": validation}
        self._writers = {directory: tf.summary.create_file_writer(str(directory)) for directory in {train[0], validation[0]}}

    @classmethod
    def into_one_file(cls, save: Save, directory: Path) -> Recorder:
        return cls(save, train=(directory, "train/"), validation=(directory, "validation/"))

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


def train(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    reviews: Reviews,
    recorder: Recorder,
    outputs: keras.KerasTensor | None = None,
) -> None:
    """Train to the last of STEPS.

    The layers are trained through a second model, so that `model` itself is not compiled and what is saved of it holds
    no optimizer, except where the run saves one on purpose.

    outputs : what to train instead of the model's own outputs, where layers with losses of their own are to take part.
    """
    trained = keras.Model(model.inputs, model.outputs if outputs is None else outputs)
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
        if step in STEPS:
            print(
                f"  step {step:5}  " + "  ".join(f"validation {name} {value:.3f}" for name, value in values.items()), flush=True
            )
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
