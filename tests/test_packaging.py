"""The distribution holds every package, and the metadata agree with each other."""

import re
import tomllib
from pathlib import Path

import pytest

import replica

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def metadata():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_package_is_listed(metadata):
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "replica").rglob("__init__.py")
    }
    assert set(metadata["tool"]["setuptools"]["packages"]) == found | {"replica.models"}


def test_headers_of_the_generated_program_are_installed(metadata):
    assert list((ROOT / "replica" / "compile" / "c").glob("*.h"))
    assert metadata["tool"]["setuptools"]["package-data"]["replica.compile"] == ["c/*.h"]


def test_versions_agree():
    citation = (ROOT / "CITATION.cff").read_text()
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert f"version: {replica.__version__}\n" in citation
    assert re.search(rf"^## {re.escape(replica.__version__)}\b", changes, re.MULTILINE)


def test_models_are_importable_inside_the_package_only():
    import replica.models

    assert Path(replica.models.__file__).name == "__init__.py"
