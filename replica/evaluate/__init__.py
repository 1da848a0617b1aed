"""Evaluate: averages over Gaussian vectors of distances to convex sets, with their errors."""

from replica.evaluate.anchors import AnchorPoints, anchor_points
from replica.evaluate.joint import joint_capacity
from replica.evaluate.measured import ManifoldMeasurement, measure_manifolds
from replica.evaluate.quadratic_programs import NearestPoints, nearest_points
from replica.evaluate.separability import largest_margin, projected_capacity
from replica.evaluate.settings import CapacitySettings
from replica.evaluate.solve import CapacitySolution
from replica.evaluate.version_space import VersionSpace, version_space

__all__ = [
    "AnchorPoints",
    "CapacitySettings",
    "CapacitySolution",
    "ManifoldMeasurement",
    "NearestPoints",
    "VersionSpace",
    "anchor_points",
    "joint_capacity",
    "largest_margin",
    "measure_manifolds",
    "nearest_points",
    "projected_capacity",
    "version_space",
]
