"""Many reviews at once: finding them, running them, and their heterogeneity and agreement of methods."""
