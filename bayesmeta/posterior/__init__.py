"""Posteriors: fitting, draws, summaries, storage, refitting and averages over models.

Imports ``engines`` and what comes before it.
"""
