"""Priors: families, parsing of what users write, empirical priors, priors of baselines, defaults."""
