"""Find the tables of a model: in the folder of the source tree, or a file of the user's own."""

from __future__ import annotations

import difflib
from pathlib import Path

import replica
from replica.errors import TableError
from replica.report.regression.declaration import TableFile, read_tables

#: The folder of a source tree; the installed package has no tables.
FOLDER = Path(replica.__file__).resolve().parent.parent / "tables"


def all_tables() -> list[Path]:
    """Return the files of the source tree.

    Raises
    ------
    TableError
        If the package is installed without it.
    """
    files = sorted(FOLDER.glob("*.toml"))
    if not files:
        raise TableError(
            f"There are no tables in {str(FOLDER)!r}: they come with the source tree, not with the "
            "installed package; a file of your own is given by its path, ending in .toml."
        )
    return files


def tables_of(target: str) -> list[Path]:
    """Return the files that a name stands for.

    Parameters
    ----------
    target : str
        A path that ends in ``.toml``, the name of a file of ``tables/``, or that of a model.

    Raises
    ------
    TableError
        If there is none.
    """
    if target.endswith(".toml"):
        if not Path(target).is_file():
            raise TableError(f"There is no file {target!r} to read tables from.")
        return [Path(target)]
    files = all_tables()
    named = [path for path in files if path.stem == target.replace("-", "_")]
    if named:
        return named
    models = {path: read_tables(path).models for path in files}
    found = [path for path, names in models.items() if target in names]
    if not found:
        known = [
            *(path.stem for path in files),
            *(name for names in models.values() for name in names),
        ]
        close = difflib.get_close_matches(target, known, n=1)
        hint = (
            f", did you mean {close[0]!r}?"
            if close
            else f"; there are {', '.join(p.stem for p in files)}."
        )
        raise TableError(f"There are no tables of {target!r}{hint}")
    return found


def declared_for(model: str) -> list[TableFile]:
    """Return the files with tables or figures of a built-in model, none where there are none."""
    files = [read_tables(path) for path in sorted(FOLDER.glob("*.toml"))]
    return [file for file in files if model in file.models]
