"""Benchmarks: figures as ratios beside a named reference, on real recordings."""
