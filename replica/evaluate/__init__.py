"""Evaluate: averages over Gaussian vectors of distances to convex sets, with their errors."""

from replica.evaluate.measured import ManifoldMeasurement, measure_manifolds
from replica.evaluate.quadratic_programs import NearestPoints, nearest_points
from replica.evaluate.settings import CapacitySettings
from replica.evaluate.solve import CapacitySolution

__all__ = [
    "CapacitySettings",
    "CapacitySolution",
    "ManifoldMeasurement",
    "NearestPoints",
    "measure_manifolds",
    "nearest_points",
]
