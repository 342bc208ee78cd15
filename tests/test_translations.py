"""Everything that the back end says to people can be said in Chinese by the tab."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Formatter

import pytest

from tb_embfactor.analysis.numbers import METRICS
from tb_embfactor.analysis.ranks import RULES
from tb_embfactor.messages import TEMPLATES
from tb_embfactor.transforms import STEPS

I18N = Path(__file__).resolve().parents[1] / "frontend/src/i18n"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def sentences() -> dict[str, str]:
    return json.loads((I18N / "zh.server.json").read_text(encoding="utf-8"))


def blanks(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def test_every_sentence_has_a_chinese_template(sentences: dict[str, str]) -> None:
    assert set(sentences) == set(TEMPLATES)
    assert [code for code, text in sentences.items() if not CHINESE.search(text)] == []


def test_the_templates_have_the_same_blanks(sentences: dict[str, str]) -> None:
    assert [code for code, text in sentences.items() if blanks(text) != blanks(TEMPLATES[code])] == []
    assert [code for code, text in sentences.items() if re.search(r"\{\w*[^\w}]", text)] == []  # no format that only Python knows


def test_every_named_number_has_a_chinese_name_and_description() -> None:
    numbers = json.loads((I18N / "zh.numbers.json").read_text(encoding="utf-8"))
    assert set(numbers) == set(METRICS)
    for key, known in numbers.items():
        assert set(known) == {"name", "description", "formula"}, key
        assert CHINESE.search(known["name"]) and CHINESE.search(known["description"]), key


def test_every_rule_has_a_chinese_name_and_what_it_assumes() -> None:
    rules = json.loads((I18N / "zh.rules.json").read_text(encoding="utf-8"))
    assert set(rules) == set(RULES)
    assert all(CHINESE.search(known["assumes"]) and known["name"] and known["formula"] for known in rules.values())


def test_every_step_of_a_transform_can_be_chosen_and_is_named_in_both_languages() -> None:
    offered = (I18N.parent / "state/transform.ts").read_text(encoding="utf-8").split("STEPS = [")[1].split("]")[0]
    assert set(re.findall(r'"(\w+)"', offered)) == set(STEPS)
    for language in ("en", "zh"):
        table = (I18N / f"{language}.ts").read_text(encoding="utf-8")
        assert [name for name in STEPS if f'"step.{name}"' not in table or f'"step.hint.{name}"' not in table] == [], language


def test_a_verdict_says_what_was_found_and_then_what_to_try(sentences: dict[str, str]) -> None:
    """The tab takes the first sentence for the finding, in both languages."""
    for code in (code for code in TEMPLATES if code.startswith("verdict_")):
        assert TEMPLATES[code].count(". ") <= 1, code
        assert (". " in TEMPLATES[code]) == ("。" in sentences[code].rstrip("。")), code
