"""Run the command line: the command ``bayesmeta``, and ``python -m bayesmeta``."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; Ctrl-C while it is loaded is one line too."""
    try:
        from bayesmeta.cli.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted before anything was done\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
