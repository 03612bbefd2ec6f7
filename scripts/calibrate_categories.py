"""Calibrate outcomes with several categories by simulation: ``python scripts/calibrate_categories.py --replicates 100``.

Each simulated outcome is fitted by NUTS; the ranks of the true values must be uniform. A few seconds per outcome.
"""

import argparse

import numpy as np

from bayesmeta.calibration.categories import category_ranks
from bayesmeta.calibration.uniformity import uniformity


def main() -> None:
    """Read the command line, simulate, and print a line per term."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=100, help="simulated outcomes (default 100)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all random numbers (default 1)")
    given = parser.parse_args()
    ranks = category_ranks(range(given.replicates), given.seed)
    for name, values in ranks.items():
        print(
            f"{name:>12}  mean rank {np.nanmean(values):.3f}  {uniformity(values, np.random.default_rng(given.seed))}"
        )


if __name__ == "__main__":
    main()
