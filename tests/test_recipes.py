"""What the programs of docs/recipes.md leave behind is found, in the run of its events, and explained where it is missing."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import tb_embfactor as ef


@dataclass(frozen=True)
class Recipe:
    """runs : by name, the steps of the embedding there. labels : columns of its labels. hint : where nothing was saved."""

    runs: dict[str, list[int]]
    hint: str
    layer: str = "word_embedding"
    labels: tuple[str, ...] | None = None

    @staticmethod
    def name(run: str) -> str:
        """The name of a run without what is of the day."""
        return re.sub(r"[A-Z][a-z]{2}\d\d_[\d-]+_[^/]+", "DATE_HOST", run)


RECIPES = {
    "keras": Recipe({"interrupted/train": [48], "reviews/train": [0, 8, 16, 24]}, "hint_keras", labels=("label",)),
    "hugging-face-trainer": Recipe({"bert/runs/DATE_HOST": [0, 2, 4, 6]}, "hint_trainer", "word_embeddings", ("token",)),
    "pytorch-lightning": Recipe({"lightning_logs/version_0": [0, 2, 4, 6]}, "hint_lightning"),
    "a-loop-in-pytorch": Recipe({"reviews": [0, 2, 4, 6]}, "hint_loop", labels=("label",)),
    "a-loop-in-tensorflow": Recipe({"reviews": [0, 2, 4, 6]}, "hint_loop"),
}


@pytest.fixture
def logs(fixtures_dir: Path, recipe: str) -> Path:
    return fixtures_dir / "recipes" / recipe / "logs"


def test_every_recipe_is_tested(repository: Path) -> None:
    text = (repository / "docs" / "recipes.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [re.sub(r"\W+", "-", heading.lower()) for heading in headings] == list(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_its_checkpoints_are_found_in_the_run_of_their_events(logs: Path, recipe: str) -> None:
    wanted = RECIPES[recipe]
    logdir = ef.open_logdir(logs)
    assert (logdir.problems, logdir.hints) == ((), ())
    assert {wanted.name(run.name): [checkpoint.step for checkpoint in run.checkpoints] for run in logdir.runs} == wanted.runs
    assert {str(path.parent.relative_to(logs)) for path in logs.rglob("*tfevents*")} == {run.name for run in logdir.runs}
    for run in logdir.runs:
        for checkpoint in run.checkpoints:
            embedding = checkpoint[wanted.layer]
            assert (embedding.role, embedding.shape) == ("embedding", (100, 16))
    found = logdir.runs[-1].checkpoints[0][wanted.layer].labels
    assert (found and found.columns) == wanted.labels


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_log_directory_of_events_alone_leads_to_the_checkpoints(logs: Path, recipe: str) -> None:
    for run in ef.open_logdir(logs).runs:
        if not ef.open_logdir(logs / run.name).runs:
            (hint,) = ef.open_logdir(logs / run.name).hints
            assert hint.code == "hint_above"
            assert ef.open_logdir(hint.params["path"]).runs


@pytest.mark.parametrize("recipe", RECIPES)
def test_without_its_checkpoints_a_hint_says_what_the_program_lacks(logs: Path, recipe: str, tmp_path: Path) -> None:
    copy = tmp_path / "home" / "project" / "logs"
    shutil.copytree(logs, copy)
    for path in copy.rglob("*"):
        if path.is_file() and not ("tfevents" in path.name or path.name == "hparams.yaml"):
            path.unlink()
    (hint,) = ef.open_logdir(copy).hints
    assert hint.code == RECIPES[recipe].hint
