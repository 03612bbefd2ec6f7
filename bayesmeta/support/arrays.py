"""The type of the arrays that the package computes with."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

#: a numpy array; docstrings say its shape
Array = NDArray[Any]
