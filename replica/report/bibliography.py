"""What to cite for a model: its paper, the method, this software and what it stands on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import replica

if TYPE_CHECKING:
    from replica.model import FunctionalModel, Model

_FIELD = re.compile(r"^ +(\w+) = \{(.*)\},$", re.MULTILINE)


@dataclass(frozen=True)
class Citation:
    """One entry of a bibliography."""

    key: str
    kind: str
    fields: tuple[tuple[str, str], ...]
    of: str

    @property
    def bibtex(self) -> str:
        """The entry for BibTeX."""
        lines = [f"  {name} = {{{value}}}," for name, value in self.fields]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])

    @property
    def text(self) -> str:
        """The entry as LaTeX, for a bibliography without BibTeX."""
        known = dict(self.fields)
        names = [_initials(name) for name in known.get("author", "").split(" and ") if name]
        if names[-1:] == ["others"]:
            authors = f"{', '.join(names[:-1])} et al."
        else:
            authors = " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
        where = known.get("journal") or known.get("booktitle")
        place = [
            rf"\emph{{{where}}}" if where else known.get("publisher", ""),
            rf"\textbf{{{known['volume']}}}" if "volume" in known else "",
            known.get("pages", "").partition("--")[0],
            f"({known['year']})" if "year" in known else "",
        ]
        parts = [authors, known.get("title", ""), " ".join(p for p in place if p)]
        parts += [known.get("howpublished", ""), known.get("note", "")]
        return ", ".join(part for part in parts if part) + "."


def citations(model: Model | FunctionalModel) -> str:
    """Return the BibTeX of what was used: the model, the method, the software.

    Parameters
    ----------
    model : Model or FunctionalModel

    Returns
    -------
    str
        A model whose reference is not known by the framework gets an entry that holds its text.

    Examples
    --------
    >>> import replica
    >>> print(replica.report.citations(replica.load("gardner-spherical"))[:20])
    @article{Gardner1988
    """
    return "\n\n".join(citation.bibtex for citation in cited(model)) + "\n"


def cited(model: Model | FunctionalModel) -> tuple[Citation, ...]:
    """Return the entries of a model, its own first."""
    wanted = [model.reference, "method"]
    wanted += ["replicon"] if model.saddle_point().replicon is not None else []
    known = [entry for name in wanted for entry in _stored() if name and entry.of == name]
    if model.reference and not any(entry.of == model.reference for entry in known):
        text = model.reference.replace("&", r"\&")
        fields = (("title", model.title or model.name), ("note", text))
        known.insert(0, Citation(_key(model.name), "misc", fields, model.reference))
    libraries = [entry for entry in _stored() if entry.of == "libraries"]
    return (*known, _software(), *libraries)


def _software() -> Citation:
    """The facts of CITATION.cff, which the installed package does not hold."""
    fields = (
        ("author", "{The replica developers}"),
        (
            "title",
            "replica: replica-method saddle-point equations, derived, compiled and certified",
        ),
        ("howpublished", f"version {replica.__version__}"),
    )
    return Citation("replica", "misc", fields, "software")


@cache
def _stored() -> tuple[Citation, ...]:
    text = Path(__file__).with_name("references.bib").read_text(encoding="utf-8")
    entries = []
    for block in text.split("\n@")[1:]:
        kind, _, rest = block.partition("{")
        fields = dict(_FIELD.findall(rest))
        of = fields.pop("replica")
        entries.append(Citation(rest.partition(",")[0], kind, tuple(fields.items()), of))
    return tuple(entries)


def _initials(name: str) -> str:
    """Return ``"D. J. Amit"`` of ``"Amit, Daniel J."``."""
    last, comma, first = name.strip().partition(", ")
    if not comma:
        return last.strip("{}")
    return f"{' '.join(_initial(part) for part in first.split())} {last}"


def _initial(part: str) -> str:
    return "-".join(f"{piece[0]}." for piece in part.split("-"))


def _key(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))
