"""The directive `picture`: a picture that fastact.plots draws when the pages are built.

    ```{picture} functions("relu", "tanh")
    ```

The picture's own description is the text for those who cannot see it. The picture is a link to its file, which can be enlarged on
a telephone.
"""

import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from fastact import plots


class Picture(SphinxDirective):
    """An image that a call of a function of fastact.plots draws."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"width": directives.length_or_percentage_or_unitless}  # noqa: RUF012

    def run(self):
        """Draw the picture into a file beside the sources."""
        (call,) = self.arguments
        path = Path(self.env.srcdir) / "_pictures" / (re.sub(r"\W+", "-", call).strip("-") + ".svg")
        path.parent.mkdir(exist_ok=True)
        figure = eval(call, {"__builtins__": {}}, vars(plots))
        plots.save(figure, path)
        title, _, description = figure.get_label().partition("\n")
        image = nodes.image(uri=f"/_pictures/{path.name}", alt=f"{title}. {description}", classes=["picture"], **self.options)
        # Sphinx puts every image into one folder beside the pages.
        target = "../" * self.env.docname.count("/") + f"_images/{path.name}"
        return [nodes.reference("", "", image, internal=True, refuri=target, classes=["picture"])]


def setup(app):
    """Add the directive."""
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
