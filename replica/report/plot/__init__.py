"""Figures, drawn into given axes; nothing global is changed."""

from replica.report.plot.curves import curve
from replica.report.plot.diagram import phase_diagram
from replica.report.plot.iteration import flow, iterates
from replica.report.plot.landscapes import landscape, profile
from replica.report.plot.style import PALETTE, save

__all__ = ["PALETTE", "curve", "flow", "iterates", "landscape", "phase_diagram", "profile", "save"]
