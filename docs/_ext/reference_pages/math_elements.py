"""Formulas as MathML, which browsers show without scripts, so that the pages need no network."""

from __future__ import annotations

from typing import Any


def visit_inline(writer: Any, node: Any) -> None:
    """Write an inline formula."""
    from docutils import nodes
    from docutils.utils.math.latex2mathml import tex2mathml

    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def visit_block(writer: Any, node: Any) -> None:
    """Write a displayed formula."""
    from docutils import nodes
    from docutils.utils.math.latex2mathml import tex2mathml

    writer.body.append(f'<div class="formula">{tex2mathml(node.astext(), as_block=True)}</div>\n')
    raise nodes.SkipNode


def add_mathml_renderer(app: Any) -> None:
    """Register the renderer as ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
