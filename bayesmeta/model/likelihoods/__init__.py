"""Likelihoods: how the effect of a study gives its data, as log densities in numpy."""
