"""Pool one study table by every method, as CSV: ``python scripts/compare_estimators.py reviews/bcg/studies.csv``.

Its arguments are those of ``bayesmeta compare``; the CSV goes to standard output, at full precision.
"""

import sys

from bayesmeta.cli.app import main

if __name__ == "__main__":
    sys.argv[1:] = ["compare", "--format", "csv", *sys.argv[1:]]
    main()
