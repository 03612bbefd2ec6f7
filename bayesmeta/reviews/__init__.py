"""Reviews: review.toml and study tables are read, and a folder of results, tables and figures is written.

Imports everything before it; only ``cli`` imports it.
"""
