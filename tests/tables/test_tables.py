"""The tables of all built-in models, recomputed: as they are stored, and as references say."""

import csv
import io
from pathlib import Path

import pytest

from replica.registry import built_in_models
from replica.report.regression import all_tables, check, read_tables

TABLES = all_tables()


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_nothing_differs(path):
    report = check(path)
    assert report.passed, str(report)


def test_every_built_in_model_has_a_table_and_a_figure():
    files = [read_tables(path) for path in TABLES]
    models = set(built_in_models())
    tabulated = {row.model for file in files for table in file.tables for row in table.rows}
    drawn = {figure.model for file in files for figure in file.figures}
    assert tabulated == models
    assert drawn <= models


def test_most_numbers_are_known_from_elsewhere():
    texts = [path.with_suffix(".csv").read_text(encoding="utf-8") for path in TABLES]
    rows = [row for text in texts for row in csv.DictReader(io.StringIO(text))]
    with_reference = [row for row in rows if row["reference"]]
    assert len(with_reference) > 0.8 * len(rows)
    assert all(row["source"] for row in with_reference)
    assert {row["provenance"] for row in with_reference} == {
        "published", "closed form", "independent"
    }  # fmt: skip


def test_only_generated_files_stand_beside_the_declarations():
    expected = {
        path.with_suffix(s).name for path in TABLES for s in (".toml", ".csv", ".md", ".tex")
    }
    assert {path.name for path in Path(TABLES[0]).parent.iterdir()} == expected
