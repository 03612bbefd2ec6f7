"""What a Bayesian model consists of: priors and likelihoods, as plain values and numpy functions.

Imports ``effects`` and what comes before it.
"""
