"""Cochrane reviews: files of RevMan 5, its CSV export and RevMan Web packages, read and recomputed.

Imports ``frequentist`` and what comes before it.
"""
