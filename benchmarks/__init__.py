"""Timings of the package, as ratios within one run: ``python -m benchmarks``."""
