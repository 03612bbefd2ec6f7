"""Quadrature for arm-level likelihoods: binomial, Poisson and noncentral t."""
