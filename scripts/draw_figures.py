"""Draw the figures of a finished run again: ``python scripts/draw_figures.py outputs/pip``. Arguments as for ``bayesmeta figures``."""

import sys

from bayesmeta.cli.app import main

if __name__ == "__main__":
    sys.argv.insert(1, "figures")
    main()
