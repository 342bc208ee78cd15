"""The runs: each is one function, which builds a model, says how a checkpoint is saved, and trains."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from training import sources
from training.recording import STEPS, Recorder, keras_files, tensorflow_checkpoints, train
from training.reviews import N_WORDS, SEED

N_DIMS = 32
N_FACTORS = 8
REVIEW_LENGTH = 200
EMBEDDING_KEY = "optimizer/_trainable_variables/0/.ATTRIBUTES/VARIABLE_VALUE"
"""What a checkpoint calls the embedding. TensorFlow names a variable by the shortest way to it, which for a Keras 3 model
saved with its optimizer leads through the optimizer's list of what it trains."""


def sentiment_plain(directory: Path) -> None:
    """A plain embedding, with TensorFlow checkpoints that hold Adam's state, as `tf.train.CheckpointManager` keeps them."""
    reviews = sources.english_reviews(REVIEW_LENGTH)
    model = build_classifier(word_embedding())
    optimizer = keras.optimizers.Adam()
    save = tensorflow_checkpoints(directory / "checkpoints", model=model, optimizer=optimizer)
    reviews.write_labels(directory / "metadata.tsv")
    write_projector_config(directory, EMBEDDING_KEY, "metadata.tsv")
    train(model, optimizer, reviews, Recorder(save, (directory / "train", ""), (directory / "validation", "")))


def sentiment_factorized(directory: Path) -> None:
    """The same with the embedding as a product of two narrow matrices, as in ALBERT, saved as Keras model files."""
    reviews = sources.english_reviews(REVIEW_LENGTH)
    model = build_classifier(
        layers.Embedding(N_WORDS, N_FACTORS, mask_zero=True, name="word_factors"),
        layers.Dense(N_DIMS, use_bias=False, name="factor_embedding"),
    )
    reviews.write_labels(directory / "metadata.tsv")
    train(model, keras.optimizers.Adam(), reviews, Recorder.into_one_file(keras_files(model, directory), directory))


def transformer(directory: Path) -> None:
    """One encoder block on the sum of a token and a position embedding, of standard layers alone, saved as Keras model files."""
    reviews = sources.english_reviews(length := 128)
    model = build_transformer(length)
    reviews.write_labels(directory / "metadata.tsv")
    train(model, keras.optimizers.Adam(), reviews, Recorder.into_one_file(keras_files(model, directory), directory))


def collapsed(directory: Path) -> None:
    """The plain embedding once more, with a weight decay that takes away what the task does not renew (usual are 0.01 to 0.1)."""
    reviews = sources.english_reviews(REVIEW_LENGTH)
    model = build_classifier(word_embedding())
    save = tensorflow_checkpoints(directory, model=model)
    reviews.write_labels(directory / "metadata.tsv")
    optimizer = keras.optimizers.AdamW(learning_rate=0.002, weight_decay=1.0)
    train(model, optimizer, reviews, Recorder.into_one_file(save, directory))


def chinese_reviews(directory: Path, file: Path) -> None:
    """Words of Chinese reviews, which learn two things at once: is a review positive, and which words stand in one review."""
    reviews = sources.chinese_reviews(file, length := 100)
    model = build_classifier(word_embedding(), length=length)
    embedding, mean_of_words, *classify = model.layers
    numbers = model.inputs[0]
    outputs = OwnWordsLoss()(mean_of_words(embedding(numbers)), numbers)
    for layer in classify:
        outputs = layer(outputs)
    reviews.write_labels(directory / "metadata.tsv")
    recorder = Recorder.into_one_file(tensorflow_checkpoints(directory, model=model), directory)
    train(model, keras.optimizers.Adam(), reviews, recorder, outputs)


class OwnWordsLoss(layers.Layer):
    """Passes the means of reviews on, and adds to the loss how badly they predict the reviews' own words (cross-entropy)."""

    def __init__(self) -> None:
        super().__init__()
        self._scores = layers.Dense(N_WORDS)

    def call(self, means: keras.KerasTensor, numbers: keras.KerasTensor) -> keras.KerasTensor:
        log_shares = ops.log_softmax(self._scores(means))
        is_known = ops.cast(numbers > 1, "float32")
        self.add_loss(-ops.sum(ops.take_along_axis(log_shares, numbers, axis=1) * is_known) / (ops.sum(is_known) + 1))
        return means


def article_example(directory: Path) -> None:
    """A random matrix of 100×300, in which there is nothing to find, beside an embedding of the same shape that was trained."""
    shape = (100, 300)
    reviews = sources.english_reviews(REVIEW_LENGTH, n_words=shape[0])
    trained = layers.Embedding(*shape, mask_zero=True, name="trained_embedding")
    random = layers.Embedding(*shape, weights=[np.random.default_rng(SEED).standard_normal(shape)], name="random_embedding")
    model = build_classifier(trained)
    save = tensorflow_checkpoints(directory, model=model, random_embedding=random)
    reviews.write_labels(directory / "trained_embedding_metadata.tsv")
    recorder = Recorder.into_one_file(lambda step: step == STEPS[-1] and save(step), directory)
    train(model, keras.optimizers.Adam(), reviews, recorder)


def word_embedding() -> keras.layers.Layer:
    return layers.Embedding(N_WORDS, N_DIMS, mask_zero=True, name="word_embedding")


def build_classifier(*embedding: keras.layers.Layer, length: int = REVIEW_LENGTH) -> keras.Model:
    """Is a review positive? The mean of its words' embeddings decides; padding (number 0) is masked and takes no part."""
    classify = [
        layers.GlobalAveragePooling1D(name="mean_of_words"),
        layers.Dense(16, activation="relu", name="hidden"),
        layers.Dense(1, activation="sigmoid", name="is_positive"),
    ]
    return keras.Sequential([layers.Input((length,), dtype="int32"), *embedding, *classify])


def build_transformer(length: int) -> keras.Model:
    """Token and position embeddings, attention and a feed-forward pair around residuals, and the mean over the tokens decides."""
    numbers = layers.Input((length,), dtype="int32", name="word_numbers")
    positions = ops.cumsum(ops.ones_like(numbers), axis=1) - 1
    tokens = layers.Embedding(N_WORDS, N_DIMS, mask_zero=True, name="token_embedding")(numbers)
    x = tokens + layers.Embedding(length, N_DIMS, name="position_embedding")(positions)
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=N_DIMS // 2, name="attention")(x, x)
    x = layers.LayerNormalization(name="after_attention")(x + attended)
    wide = layers.Dense(2 * N_DIMS, activation="relu", name="feed_forward_in")(x)
    x = layers.LayerNormalization(name="after_feed_forward")(x + layers.Dense(N_DIMS, name="feed_forward_out")(wide))
    mean = layers.GlobalAveragePooling1D(name="mean_of_words")(x)
    return keras.Model(numbers, layers.Dense(1, activation="sigmoid", name="is_positive")(mean))


def write_projector_config(directory: Path, tensor: str, labels: str) -> None:
    """Tell projectors which file labels which tensor."""
    lines = ["embeddings {", f'  tensor_name: "{tensor}"', f'  metadata_path: "{labels}"', "}"]
    (directory / "projector_config.pbtxt").write_text("\n".join(lines) + "\n", encoding="utf-8")
