"""How names are written on axes and in table heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


def label(ds: xr.Dataset, name: str) -> str:
    r"""Return the label of a variable: its symbol in math mode, or its name in words.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of a scan.
    name : str
        A dimension or a variable of it.

    Returns
    -------
    str
        ``"$\\lambda$"`` or ``"test error"``, for example.
    """
    return name_label(name, ds[name].attrs.get("latex"))


def name_label(name: str, latex: str | None = None) -> str:
    """Return the label of a name.

    Parameters
    ----------
    name : str
        ``"lam"`` or ``"test_error"``, for example.
    latex : str, optional
        Its symbol in LaTeX.

    Returns
    -------
    str
    """
    # Greek letters, and names as short as q_0, are symbols; the others are words.
    symbol = latex is not None and latex.startswith("\\")
    if symbol or all(len(part) <= 3 for part in name.split("_")):
        return f"${latex or name}$"
    return name.replace("_", " ")
