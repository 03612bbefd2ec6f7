"""Checks of a fit: agreement of the engines, leave one out, influence, predictive checks, sensitivity to priors.

Imports ``posterior`` and what comes before it.
"""
