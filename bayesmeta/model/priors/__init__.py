"""Priors: families, parsing of what users write, empirical priors, priors for baselines, defaults."""
