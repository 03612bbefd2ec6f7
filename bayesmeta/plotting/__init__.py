"""Plotting for users: figures from studies, effects or a posterior."""
