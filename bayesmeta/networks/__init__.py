"""Network meta-analysis: several treatments compared in one model. It may import everything up to ``checks``."""
