"""Write the tables of a finished run again: ``python scripts/write_tables.py outputs/pip``. Arguments as for ``bayesmeta tables``."""

import sys

from bayesmeta.cli.app import main

if __name__ == "__main__":
    sys.argv.insert(1, "tables")
    main()
