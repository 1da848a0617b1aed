"""Kernels built from data: attention, the features along its paths, predictions, heads."""

from replica.kernels.attention import path_features, softmax_attention
from replica.kernels.features import STORE_LIMIT, PathFeatures
from replica.kernels.heads import head_scores, prune
from replica.kernels.predictor import KernelPredictor

__all__ = [
    "STORE_LIMIT",
    "KernelPredictor",
    "PathFeatures",
    "head_scores",
    "path_features",
    "prune",
    "softmax_attention",
]
