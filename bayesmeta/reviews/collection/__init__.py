"""Many reviews at once: finding them, running them, and what they say together."""
