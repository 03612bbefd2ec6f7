"""Marginal distributions: density, distribution function, quantiles, moments and draws of each term of a posterior."""
