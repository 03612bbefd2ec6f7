"""Figures: forest plots and densities of tau. The only subpackage, besides files named ``figures.py``, that imports matplotlib."""
