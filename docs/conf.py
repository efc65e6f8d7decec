"""Sphinx's configuration: `sphinx-build -W . _build/html` in this folder, with `pip install ".[docs]"`."""

import sys
from pathlib import Path

import fastact

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "fastact"
author = "The fastact authors"
copyright = "The fastact authors, MIT license"
version = release = fastact.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "formulas", "picture", "command", "reference_pages"]
exclude_patterns = ["_build"]
default_role = "code"  # docstrings mark names with single backticks

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_math_renderer = "formulas"
html_theme = "furo"
html_title = f"fastact {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_copy_source = False
