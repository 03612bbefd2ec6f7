"""Run every analysis of a review: ``python scripts/run_review.py reviews/pip``. Arguments as for ``bayesmeta run``."""

import sys

from bayesmeta.cli.app import main

if __name__ == "__main__":
    sys.argv.insert(1, "run")
    main()
