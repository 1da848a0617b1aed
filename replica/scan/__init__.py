"""Many points: grids over parameters, solved on all cores, as labelled data sets."""

from replica.scan.dataset import converged, read, save, status_counts, to_frame
from replica.scan.grid import parameter_name
from replica.scan.run import scan

__all__ = [
    "converged",
    "parameter_name",
    "read",
    "save",
    "scan",
    "status_counts",
    "to_frame",
]
