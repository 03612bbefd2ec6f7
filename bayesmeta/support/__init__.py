"""Files, processes, checks of arguments and words for every subpackage, without statistics. Imports ``errors`` only."""
