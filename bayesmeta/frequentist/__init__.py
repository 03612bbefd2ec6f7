"""Frequentist meta-analysis: estimators of tau2, random effects, Mantel-Haenszel and Peto.

Imports ``effects`` and what comes before it.
"""
