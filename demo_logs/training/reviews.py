"""Reviews as word numbers, with a vocabulary and labels from the training part alone."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SEED = 20240501
N_WORDS = 1000
VALIDATION_SHARE = 0.2
PAD, UNKNOWN = "[PAD]", "[UNK]"

Text = tuple[list[str], bool]
"""The words of a review, and whether it is positive."""


@dataclass(frozen=True)
class Reviews:
    """Reviews as word numbers, and the vocabulary with what the *training* reviews say of each word.

    words : by falling count, after [PAD] (number 0, fills short reviews) and [UNK] (number 1, any rarer word).
    columns : further labels of the words, by name. Always `count`, occurrences, and `polarity`, ln of the odds that a word of a
    positive review is this one, over the same of a negative one.
    train, validation : (reviews (n, length) int32, is positive (n, 1) float32).
    """

    words: list[str]
    columns: dict[str, list[str]] = field(repr=False)
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]

    def write_labels(self, path: Path) -> None:
        """The words as TensorBoard's projector reads labels: tab-separated, one line a row of the embedding."""
        lines = ["\t".join(["word", *self.columns])]
        lines += ["\t".join(values) for values in zip(self.words, *self.columns.values(), strict=True)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def number_words(
    texts: list[Text], length: int, n_words: int = N_WORDS, seeds_of_topics: dict[str, set[str]] | None = None
) -> Reviews:
    """Split texts into training and validation, take the vocabulary from the training part, and cut reviews to their last words.

    seeds_of_topics : with it, the words get a column `topic`; see `topics_of`.
    """
    order = np.random.default_rng(SEED).permutation(len(texts))
    n_validation = round(len(texts) * VALIDATION_SHARE)
    validation, train = ([texts[i] for i in part] for part in (order[:n_validation], order[n_validation:]))

    everywhere = Counter(word for review, _ in train for word in review)
    frequent = sorted(everywhere, key=lambda word: (-everywhere[word], word))[: n_words - 2]
    words = [PAD, UNKNOWN, *frequent]
    number_of = {word: number for number, word in enumerate(words)}

    positive, negative = (
        Counter(number_of.get(word, 1) for review, is_positive in train if is_positive == wanted for word in review)
        for wanted in (True, False)
    )
    n_positive, n_negative = positive.total(), negative.total()
    polarity = [log_odds(positive[i], n_positive) - log_odds(negative[i], n_negative) for i in range(len(words))]
    polarity[0] = 0.0  # padding is in no review
    columns = {
        "count": [str(positive[number] + negative[number]) for number in range(len(words))],
        "polarity": [f"{value:+.3f}" for value in polarity],
    }
    if seeds_of_topics is not None:
        columns["topic"] = topics_of(words, train, seeds_of_topics)

    def encode(reviews: list[Text]) -> tuple[np.ndarray, np.ndarray]:
        numbers = np.zeros((len(reviews), length), np.int32)
        for row, (review, _) in zip(numbers, reviews, strict=True):
            end = review[-length:]  # the verdict of a review mostly stands at its end
            row[: len(end)] = [number_of.get(word, 1) for word in end]
        return numbers, np.array([[is_positive] for _, is_positive in reviews], np.float32)

    return Reviews(words, columns, encode(train), encode(validation))


def log_odds(count: int, total: int) -> float:
    """ln of the odds of `count` in `total`, with half an occurrence added on either side so that it is finite."""
    return math.log((count + 0.5) / (total - count + 0.5))


GENERAL = "general"
TIMES_MORE_FREQUENT = 3.0


def topics_of(words: list[str], texts: list[Text], seeds_of_topics: dict[str, set[str]]) -> list[str]:
    """The topic that each word is characteristic of, from a few seed words a topic.

    A review is of the topic most of whose seed words it has; of none, if it has none or two topics have equally many. A word
    belongs to a topic if it is TIMES_MORE_FREQUENT in that topic's reviews as in those of any other topic, else it is general.
    """
    counts = {topic: Counter[str]() for topic in seeds_of_topics}
    for review, _ in texts:
        n_seeds = Counter({topic: sum(word in seeds for word in review) for topic, seeds in seeds_of_topics.items()})
        (first, n_first), (_, n_second) = n_seeds.most_common(2)
        if n_first > n_second:
            counts[first].update(review)

    def topic_of(word: str) -> str:
        rates = Counter({topic: (count[word] + 0.5) / count.total() for topic, count in counts.items()})
        (first, rate), (_, next_rate) = rates.most_common(2)
        return first if rate >= TIMES_MORE_FREQUENT * next_rate and word not in (PAD, UNKNOWN) else GENERAL

    return [topic_of(word) for word in words]
