"""Kernels built from data: attention, paths, and the features along them."""

from replica.kernels.attention import path_features, softmax_attention
from replica.kernels.features import STORE_LIMIT, PathFeatures

__all__ = ["STORE_LIMIT", "PathFeatures", "path_features", "softmax_attention"]
