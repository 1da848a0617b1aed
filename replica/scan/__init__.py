"""Many points: grids over parameters, solved on all cores, as labelled data sets."""

from replica.scan.diagram import boundaries, phase_diagram
from replica.scan.files import read, save
from replica.scan.grid import parameter_name
from replica.scan.points import converged, failures, failures_text, status_counts, to_frame
from replica.scan.run import scan

__all__ = [
    "boundaries",
    "converged",
    "failures",
    "failures_text",
    "parameter_name",
    "phase_diagram",
    "read",
    "save",
    "scan",
    "status_counts",
    "to_frame",
]
