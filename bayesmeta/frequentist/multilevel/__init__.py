"""Several estimates per study: random effects on nested or crossed levels, and structures of outcomes or times within studies."""
