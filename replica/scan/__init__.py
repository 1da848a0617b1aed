"""Many points: grids over parameters, solved on all cores, as labelled data sets."""

from replica.scan.files import read, save
from replica.scan.grid import parameter_name
from replica.scan.points import converged, failures, failures_text, status_counts, to_frame
from replica.scan.run import scan

__all__ = [
    "converged",
    "failures",
    "failures_text",
    "parameter_name",
    "read",
    "save",
    "scan",
    "status_counts",
    "to_frame",
]
