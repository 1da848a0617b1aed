"""Draw the figures of the documents into ``docs/figures``, each from the models as they are.

``python docs/make_figures.py`` draws all, and ``python docs/make_figures.py hopfield`` some.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import click
import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
FIGURES: dict[str, Callable[[], Figure]] = {}


def figure(draw: Callable[[], Figure]) -> Callable[[], Figure]:
    """Register a function that draws the figure of its name."""
    FIGURES[draw.__name__] = draw
    return draw


@figure
def learning_curve() -> Figure:
    """The figure of the demo."""
    sys.path.insert(0, str(ROOT / "examples"))
    import learning_curve as example

    return example.draw(example.compute())


def main() -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FIGURES))
    for name in parser.parse_args().names or FIGURES:
        drawn = FIGURES[name]()
        drawn.savefig(ROOT / "docs" / "figures" / f"{name}.png", dpi=150)
        plt.close(drawn)
        click.echo(name)


if __name__ == "__main__":
    main()
