"""The type of the arrays that the package computes with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: numpy array of floats; docstrings give its shape
Array = NDArray[np.float64]
