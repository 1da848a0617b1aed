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
    # Greek letters, and names such as m, q_0 or qhat, are symbols; the others are words.
    greek_or_accented = latex is not None and latex.startswith("\\")
    if greek_or_accented or len(name.partition("_")[0]) == 1:
        return f"${latex or name}$"
    return name.replace("_", " ")
