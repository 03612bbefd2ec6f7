"""Sampling: PyMC model files found, compiled once per shape and sampled with NUTS."""
