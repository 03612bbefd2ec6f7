"""Quadrature for the normal likelihood: mu in closed form given tau, tau by adaptive panels."""
