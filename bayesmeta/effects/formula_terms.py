"""Formulas of moderators read and checked before anything is evaluated: their terms, the columns and functions that they name.

A sum of plain names is read here; every other formula by formulaic, which is imported when the first one comes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from bayesmeta.effects.study_parts import StudyPart, name_parts
from bayesmeta.errors import SpecError, unknown_name

_PLAIN = re.compile(r"\s*~?\s*(?:(?P<intercept>[01])\s*\+\s*)?(?P<names>[A-Za-z_]\w*(?:\s*\+\s*[A-Za-z_]\w*)*)\s*")
_QUOTED = re.compile(r"(`[^`]*`|'[^']*'|\"[^\"]*\")")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m|⧛[^⧚]*?(?=[A-Za-z(])|[⧛⧚]")
#: what a formula may contain between its names
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant,
    ast.List, ast.Tuple, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.Attribute, ast.Dict, ast.IfExp,
)  # fmt: skip
#: functions of numpy that a formula may call as ``np.name``
_NUMPY = frozenset((
    "log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "absolute", "power", "square", "cbrt", "sin", "cos", "tan", "arctan",
    "tanh", "sign", "minimum", "maximum", "clip", "where", "floor", "ceil", "round", "isin", "reciprocal", "negative",
))  # fmt: skip
#: contrasts by the names that patsy gives them
_CONTRASTS = frozenset(("Treatment", "Poly", "Sum", "Helmert", "Diff"))


@dataclass(frozen=True)
class Formula:
    """A formula of moderators.

    Parameters
    ----------
    text : str
        As the user wrote it.
    plain : tuple of str or None
        Names of the columns where it is a sum of plain names, else None.
    intercept : bool
        Whether it has an intercept.
    variables : tuple of str
        The columns that it names.
    categories : tuple of str
        Those that it makes categories, by ``C()`` or ``factor()``.
    parsed : formulaic.Formula or None
        The formula as formulaic reads it; None until it is needed.
    parts : tuple of StudyPart
        Within- and between-study parts of moderators that it names.
    """

    text: str
    plain: tuple[str, ...] | None
    intercept: bool
    variables: tuple[str, ...]
    categories: tuple[str, ...] = ()
    parsed: Any = None
    parts: tuple[StudyPart, ...] = ()


@lru_cache(maxsize=256)
def parse_plain(text: str) -> Formula | None:
    """Return a formula that is a sum of plain names, such as "~ dose + weeks"; None for any other."""
    found = _PLAIN.fullmatch(text)
    if found is None:
        return None
    names = tuple(name.strip() for name in found["names"].split("+"))
    if len(set(names)) < len(names):
        return None
    return Formula(text, names, found["intercept"] != "0", names)


@lru_cache(maxsize=256)
def parse_formula(text: str) -> Formula:
    """Read a formula by formulaic and find the columns that it names.

    Parameters
    ----------
    text : str
        Right-hand side of a Wilkinson formula, with or without "~". ``^`` is a power, as in R.

    Raises
    ------
    SpecError
        If it cannot be read, has a left-hand side, or names a function that formulas do not have.
    """
    from formulaic import Formula as Parsed
    from formulaic.errors import FormulaicError
    from formulaic.formula import SimpleFormula

    if not text.strip(" ~"):
        raise SpecError(f"the formula '{text}' has no terms; '~ 1' is a model without moderators")
    named, parts = name_parts(text)
    pieces = _QUOTED.split(named)
    pieces[::2] = [piece.replace("^", "**") for piece in pieces[::2]]
    try:
        parsed = Parsed("".join(pieces))
    except (FormulaicError, SyntaxError) as error:
        raise _unreadable(text, error) from None
    if not isinstance(parsed, SimpleFormula):
        raise SpecError(
            f"the formula '{text}' should have moderators only, such as '~ dose + setting': leave out what is left of '~' and any '|'"
        )
    factors = {factor.expr: factor.eval_method.value for term in parsed for factor in term.factors}
    variables: dict[str, None] = {}
    categories: list[str] = []
    for expression, kind in factors.items():
        if kind == "lookup":
            variables[expression] = None
        elif kind == "python":
            found = _variables(expression, text)
            variables.update(dict.fromkeys(found))
            categories += found if expression.startswith(("C(", "factor(")) else []
    if not len(parsed):
        raise SpecError(f"the formula '{text}' has no terms; '~ 1' is a model without moderators")
    intercept = any(str(term) == "1" for term in parsed)
    return Formula(text, None, intercept, tuple(variables), tuple(categories), parsed, parts)


def transforms() -> Mapping[str, Any]:
    """Return the functions that a formula may call: formulaic's, and R's ``factor`` and ``sqrt``."""
    from formulaic.transforms import TRANSFORMS

    return {**TRANSFORMS, "factor": TRANSFORMS["C"], "sqrt": np.sqrt, "abs": np.abs}


def _variables(expression: str, text: str) -> list[str]:
    """Return the columns that a Python factor of a formula names, refusing anything but arithmetic and known functions."""
    # formulaic writes names in backticks, which Python does not read, as they are; each becomes a name of its own here
    quoted: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        quoted[f"_quoted{len(quoted)}"] = match[1]
        return f"_quoted{len(quoted) - 1}"

    try:
        tree = ast.parse(re.sub(r"`([^`]*)`", placeholder, expression).strip(), mode="eval")
    except SyntaxError:
        raise SpecError(f"the formula '{text}' cannot be read at '{expression}'") from None
    known = transforms()
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found: list[str] = []
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise SpecError(f"the formula '{text}' has '{ast.unparse(node)}', which formulas do not understand")
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if not (owner == "np" and node.attr in _NUMPY) and not (owner == "contr" and not node.attr.startswith("_")):
                raise SpecError(
                    f"the formula '{text}' has '{ast.unparse(node)}', which is not a function of formulas; known: "
                    f"{', '.join(_function_names(known))}"
                )
        elif isinstance(node, ast.Name) and id(node) in called:
            if node.id not in known:
                raise unknown_name("function", node.id, _function_names(known), f"in the formula '{text}'")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Q":
            found += [str(value.value) for value in node.args if isinstance(value, ast.Constant)]
        elif isinstance(node, ast.Name) and id(node) not in inner and node.id not in _CONTRASTS:
            found.append(quoted.get(node.id, node.id))
    return found


def _function_names(known: Collection[str]) -> list[str]:
    return sorted({*known, "within", "between"} - {"np", "contr", "I", "Q", "lag", "hashed"})


def _unreadable(text: str, error: Exception) -> SpecError:
    first = _ESCAPES.sub("", str(error)).strip().splitlines()[0]
    if "`.`" in first:
        first = "name the moderators instead of '.'"
    first = first.replace(" (<unknown>, line 1)", "")
    return SpecError(f"the formula '{text}' cannot be read: {first}")
