"""Bayes factors and averages of models with moderators, or with several estimates per study."""

import sys

import numpy as np
import pytest
from paths import TESTS_FOLDER
from scipy.stats import beta, halfnorm, multivariate_normal

import bayesmeta as bm

sys.path.insert(0, str(TESTS_FOLDER / "checks"))
