"""Numerical tools of the quadrature engines: panels, Legendre series, inversion, compiled loops."""
