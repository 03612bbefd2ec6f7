"""Study tables: from CSV files and DataFrames to ``StudyTable``, with checks and exclusions.

Imports ``support`` only.
"""
