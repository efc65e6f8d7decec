"""Draw formulas when the pages are built. A page then loads no library for formulas, and looks the same in every browser."""

from xml.etree import ElementTree

import ziamath
from docutils.nodes import SkipNode

SIZE = 24  # the font's size in the units of the picture; lengths are divided by it to have them in em


def svg(latex, inline):
    """The picture of a formula, in the colour of the text. Its label is the LaTeX, for those who cannot see the picture."""
    drawn = ziamath.Latex(latex, size=SIZE, color="currentColor", inline=inline)
    picture = drawn.svgxml()
    lengths = {side: f"{float(picture.get(side)) / SIZE:.3f}em" for side in ("width", "height")}
    below = f"; vertical-align: {drawn.getyofst() / SIZE:.3f}em" if inline else ""
    picture.set("style", "; ".join(f"{side}: {length}" for side, length in lengths.items()) + below)
    for side in lengths:
        del picture.attrib[side]
    picture.attrib.update({"role": "img", "aria-label": latex})
    return ElementTree.tostring(picture, encoding="unicode")


def in_line(translator, node):
    """Write a formula within a line of text."""
    translator.body.append(svg(node.astext(), inline=True))
    raise SkipNode


def by_itself(translator, node):
    """Write a formula in a paragraph of its own."""
    translator.body.append(f'<div class="math">{svg(node.astext(), inline=False)}</div>\n')
    raise SkipNode


def setup(app):
    """Add the renderer that conf.py chooses."""
    app.add_html_math_renderer("formulas", (in_line, None), (by_itself, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
