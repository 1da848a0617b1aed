"""Many points: grids over parameters, solved on all cores, as labelled data sets."""

from replica.scan.dataset import converged, failures, status_counts, to_frame
from replica.scan.files import read, save
from replica.scan.grid import parameter_name
from replica.scan.run import scan

__all__ = [
    "converged",
    "failures",
    "parameter_name",
    "read",
    "save",
    "scan",
    "status_counts",
    "to_frame",
]
