"""The folder of the checkout, and the code blocks in its pages."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README, TABLES = ROOT / "README.md", ROOT / "benchmarks" / "README.md"


def blocks(language, document=README):
    """The code blocks of one language in a page."""
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
