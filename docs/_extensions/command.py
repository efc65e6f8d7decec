"""The directive `command` runs a command of fastact when the pages are built, and shows the output: ```{command} fastact info."""

import os
import subprocess
import sys

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class Command(SphinxDirective):
    """A block with the command and its output."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        """Run the command, on as many columns as a page has room for."""
        program, *arguments = self.arguments[0].split()
        if program != "fastact":
            raise self.error(f"only fastact is run, not {program}")
        code = "import sys; from fastact.command import cli; sys.exit(cli.main())"
        done = subprocess.run(
            [sys.executable, "-P" if sys.version_info >= (3, 11) else "-s", "-c", code, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "COLUMNS": "80"},
        )
        if done.returncode:
            raise self.error(f"{self.arguments[0]} failed: {done.stderr}")
        text = f"$ {self.arguments[0]}\n{done.stdout.rstrip()}"
        return [nodes.literal_block(text, text, language="text")]


def setup(app):
    """Add the directive."""
    app.add_directive("command", Command)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
