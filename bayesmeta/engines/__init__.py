"""Engines: from data and priors to a posterior, by quadrature or by NUTS.

Imports ``model`` and what comes before it. PyMC is imported in ``engines.nuts`` alone, inside functions.
"""
