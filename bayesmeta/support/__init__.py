"""Files, processes, arguments and words: what every subpackage may use. No statistics here; imports only ``errors``."""
