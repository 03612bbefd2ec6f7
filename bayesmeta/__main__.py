"""Run the command line: ``python -m bayesmeta``."""

from bayesmeta.cli.app import main

if __name__ == "__main__":
    main()
