"""Reviews: review.toml and study tables in, a folder of results, tables and figures out.

Imports everything before it; only ``cli`` imports it.
"""
