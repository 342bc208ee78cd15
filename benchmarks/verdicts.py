"""How often the verdicts are wrong on the initialisers of the frameworks, and what they see of a signal.

    make verdicts                        (or: python benchmarks/verdicts.py [CURVE.svg])

Needs TensorFlow, Keras and torch beside tb_embfactor. Every matrix goes the way of the product, through `factorize`, `metrics`
and `verdicts`. Prints the tables of docs/verdicts.md and draws its curve. Everything is seeded.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import scipy.stats
import tensorflow as tf
import torch

from tb_embfactor import factorize, metrics
from tb_embfactor.analysis.verdicts import verdicts

SEED = 20240501
Draw = Callable[[int, int], np.ndarray]
EXPECTED = {("verdict_untrained",), ("verdict_unknown",)}


def of_keras(initializer: str, **settings: float) -> Draw:
    drawn = getattr(keras.initializers, initializer)(seed=keras.random.SeedGenerator(SEED), **settings)
    return lambda n, d: np.asarray(drawn((n, d)))


def of_torch(initialize: Callable[[torch.Tensor], object]) -> Draw:
    def draw(n: int, d: int) -> np.ndarray:
        matrix = torch.empty(n, d)
        initialize(matrix)
        return matrix.numpy()

    return draw


INITIALISERS: dict[str, Draw] = {
    "Keras RandomUniform (Embedding)": of_keras("RandomUniform"),
    "Keras RandomNormal": of_keras("RandomNormal"),
    "Keras TruncatedNormal": of_keras("TruncatedNormal"),
    "Keras GlorotUniform (Dense)": of_keras("GlorotUniform"),
    "Keras GlorotNormal": of_keras("GlorotNormal"),
    "Keras HeUniform": of_keras("HeUniform"),
    "Keras HeNormal": of_keras("HeNormal"),
    "Keras LecunUniform": of_keras("LecunUniform"),
    "Keras LecunNormal": of_keras("LecunNormal"),
    "Keras Orthogonal": of_keras("Orthogonal"),
    "TensorFlow random.uniform": lambda n, d: tf.random.uniform((n, d), -1, 1).numpy(),
    "TensorFlow random.normal": lambda n, d: tf.random.normal((n, d)).numpy(),
    "TensorFlow random.truncated_normal": lambda n, d: tf.random.truncated_normal((n, d), stddev=0.02).numpy(),
    "torch Embedding": lambda n, d: torch.nn.Embedding(n, d).weight.detach().numpy(),
    "torch Embedding, bfloat16": lambda n, d: torch.nn.Embedding(n, d).weight.detach().bfloat16().float().numpy(),
    "torch Linear": lambda n, d: torch.nn.Linear(d, n).weight.detach().numpy(),
    "torch xavier_uniform_": of_torch(torch.nn.init.xavier_uniform_),
    "torch xavier_normal_": of_torch(torch.nn.init.xavier_normal_),
    "torch kaiming_uniform_": of_torch(torch.nn.init.kaiming_uniform_),
    "torch kaiming_normal_": of_torch(torch.nn.init.kaiming_normal_),
    "torch trunc_normal_": of_torch(lambda matrix: torch.nn.init.trunc_normal_(matrix, std=0.02)),
    "torch orthogonal_": of_torch(torch.nn.init.orthogonal_),
}

N_DRAWS = {
    (500, 16): 2000, (50, 8): 1000, (64, 32): 1000, (128, 32): 1000, (94, 64): 1000, (64, 64): 1000, (100, 300): 200,
    (384, 384): 50, (1000, 32): 500, (2000, 64): 200, (5000, 300): 10, (30000, 128): 5,
}  # fmt: skip
"""How often each initialiser is drawn, by shape; half of the draws get a row of zeros, as a padding row is."""


def codes(matrix: np.ndarray) -> tuple[str, ...]:
    return tuple(message.code for message in verdicts(metrics(factorize(matrix)), matrix.shape))


def count_false_calls(draw: Draw, shape: tuple[int, int], n_draws: int) -> Counter[tuple[str, ...]]:
    """What was said, other than what had to be said of an initialisation."""
    said: Counter[tuple[str, ...]] = Counter()
    for index in range(n_draws):
        matrix = draw(*shape)
        if index % 2:
            matrix = matrix.copy()
            matrix[0] = 0
        said[codes(matrix)] += 1
    return Counter({found: count for found, count in said.items() if found not in EXPECTED})


def report_false_calls() -> None:
    by_initialiser: Counter[str] = Counter()
    print("| shape | matrices | false calls | rate | 95 % upper bound of the rate |\n|---|---:|---:|---:|---:|")
    for shape, n_draws in N_DRAWS.items():
        said: Counter[tuple[str, ...]] = Counter()
        for name, draw in INITIALISERS.items():
            false_calls = count_false_calls(draw, shape, n_draws)
            said += false_calls
            if shape == (500, 16):
                by_initialiser[name] = false_calls.total()
        n_matrices, n_false = n_draws * len(INITIALISERS), said.total()
        bound = scipy.stats.beta.ppf(0.95, n_false + 1, n_matrices - n_false)  # Clopper & Pearson 1934
        cells = [f"{shape[0]}×{shape[1]}", f"{n_matrices:,}", str(n_false), f"{n_false / n_matrices:.2%}", f"{bound:.2%}"]
        print(f"| {' | '.join(cells)} |", f" said: {dict(said)}" if said else "", flush=True)
    print(f"\n| initialiser | false calls in {N_DRAWS[500, 16]:,} of 500×16 |\n|---|---:|")
    for name, n_false in by_initialiser.items():
        print(f"| {name} | {n_false} |")


# ---- rows that never moved

OPTIMIZERS: dict[str, Callable[[Iterable[torch.Tensor]], torch.optim.Optimizer]] = {
    "SGD": lambda weights: torch.optim.SGD(weights, 0.1),
    "SGD with momentum": lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.9),
    "Adagrad": lambda weights: torch.optim.Adagrad(weights, 0.1),
    "Adam": lambda weights: torch.optim.Adam(weights, 0.01),
    "AdamW, weight decay 0.01": lambda weights: torch.optim.AdamW(weights, 0.01, weight_decay=0.01),
}


def count_unmoved_rows(optimizer: str, is_tied: bool, n_rows: int = 1000, n_used: int = 700) -> int:
    """How many rows are what they were after 100 steps in which the inputs from n_used on never occur.

    is_tied : the rows also score the outputs, in a softmax over all of them, as in a language model with tied weights.
    """
    embedding, output = torch.nn.Embedding(n_rows, 16), torch.nn.Linear(16, n_rows, bias=False)
    if is_tied:
        output.weight = embedding.weight
    before = embedding.weight.detach().clone()
    optimize = OPTIMIZERS[optimizer]([*{embedding.weight, output.weight}])
    for _ in range(100):
        inputs, targets = torch.randint(n_used, (2, 64))
        loss = torch.nn.functional.cross_entropy(output(embedding(inputs)), targets)
        optimize.zero_grad()
        loss.backward()
        optimize.step()
    return int((embedding.weight == before).all(dim=1).sum())


def report_unmoved() -> None:
    print("\n| optimizer | rows unmoved | rows unmoved, tied to a softmax |\n|---|---:|---:|")
    for name in OPTIMIZERS:
        print(f"| {name} | {count_unmoved_rows(name, False)} | {count_unmoved_rows(name, True)} |", flush=True)


# ---- what is seen of a signal

CURVES = {(500, 16): 400, (1000, 32): 300, (128, 32): 400, (100, 300): 200, (5000, 300): 20}
STRENGTHS = (0, 0.5, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4)


def share_seen(shape: tuple[int, int], strength: float, n_draws: int) -> float:
    """How often one direction is seen whose variance is `strength` times the threshold √(d/n) (Baik, Ben Arous & Péché 2005)."""
    n, d = shape
    random = np.random.default_rng(SEED)
    n_seen = 0
    for _ in range(n_draws):
        direction = random.normal(size=d)
        direction *= np.sqrt(strength * np.sqrt(d / n)) / np.linalg.norm(direction)
        matrix = random.normal(size=shape) + random.normal(size=(n, 1)) * direction
        n_seen += metrics(factorize(matrix))["looks_untrained"] is False
    return n_seen / n_draws


def report_detection() -> dict[tuple[int, int], list[float]]:
    print(f"\n| shape | {' | '.join(f'{strength:g}×' for strength in STRENGTHS)} |\n|---|{'---:|' * len(STRENGTHS)}")
    curves = {}
    for shape, n_draws in CURVES.items():
        curves[shape] = [share_seen(shape, strength, n_draws) for strength in STRENGTHS]
        print(f"| {shape[0]}×{shape[1]} | {' | '.join(f'{share:.0%}' for share in curves[shape])} |", flush=True)
    return curves


WIDTH, HEIGHT, LEFT, BOTTOM = 640, 340, 60, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")


def draw_curves(curves: dict[tuple[int, int], list[float]]) -> str:
    """An SVG that can be read on a light and on a dark page."""

    def x(strength: float) -> float:
        return LEFT + (WIDTH - LEFT - 20) * strength / STRENGTHS[-1]

    def y(share: float) -> float:
        return 20 + (HEIGHT - BOTTOM - 20) * (1 - share)

    text = 'font-family="sans-serif" font-size="13" fill="#808080"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    parts.append("<title>How often a signal is seen, by its strength</title>")
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<path d="M{x(0):.1f} {y(share):.1f}H{x(STRENGTHS[-1]):.1f}" stroke="#808080" stroke-opacity="0.3"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(share) + 4:.1f}" text-anchor="end" {text}>{share:.0%}</text>')
    for strength in range(STRENGTHS[-1] + 1):
        parts.append(f'<text x="{x(strength):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" {text}>{strength}×</text>')
    axis = "variance of the one direction, in units of noise variance × √(d/n)"
    parts.append(f'<text x="{(LEFT + WIDTH - 20) / 2}" y="{HEIGHT - 10}" text-anchor="middle" {text}>{axis}</text>')
    for index, ((shape, shares), colour) in enumerate(zip(curves.items(), COLOURS, strict=True)):
        points = " ".join(f"{x(strength):.1f},{y(share):.1f}" for strength, share in zip(STRENGTHS, shares, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at_y = 150 + 18 * index
        parts.append(f'<path d="M{WIDTH - 140} {at_y - 4}h20" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{WIDTH - 112}" y="{at_y}" {text}>{shape[0]} × {shape[1]}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    tf.random.set_seed(SEED)
    torch.manual_seed(SEED)
    report_unmoved()
    report_false_calls()
    svg = draw_curves(report_detection())
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
