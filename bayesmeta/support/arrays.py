"""The type of the arrays that the package computes with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: a numpy array of floats; docstrings say its shape
Array = NDArray[np.float64]
