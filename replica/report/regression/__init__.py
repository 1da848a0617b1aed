"""Regression tables: declared in TOML, generated as CSV, Markdown and LaTeX, and checked.

The pipeline in miniature: `declaration` reads, `compute` solves, `storage` and `render` write,
`check` compares.
"""

from replica.report.regression.check import TableReport, check, generate
from replica.report.regression.declaration import TableFile, read_tables
from replica.report.regression.find import all_tables, tables_of

__all__ = [
    "TableFile",
    "TableReport",
    "all_tables",
    "check",
    "generate",
    "read_tables",
    "tables_of",
]
