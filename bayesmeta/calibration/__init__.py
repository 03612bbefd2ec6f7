"""Calibration: simulated reviews, uniformity of posterior ranks, coverage and bias of intervals."""
