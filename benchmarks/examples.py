"""Write what the examples in docstrings print to fastact/docstrings/example_outputs.py: `python benchmarks/examples.py`.

tests/docs/test_examples.py fails where that file is out of date, in any implementation.
"""

import json
from pathlib import Path

import numpy as np

from fastact import backends
from fastact.docstrings import examples

OUTPUTS = Path(__file__).parent.parent / "fastact" / "docstrings" / "example_outputs.py"
HEAD = '"""What the examples in docstrings print, by function and statement; made by benchmarks/examples.py, do not edit."""\n\n'


def printed(statements, functions):
    """What Python's console prints for each statement that is an expression."""
    names, outputs = {"np": np, "fa": functions}, {}
    for statement in statements:
        try:
            expression = compile(statement, statement, "eval")
        except SyntaxError:
            exec(statement, names)
        else:
            outputs[statement] = repr(eval(expression, names))
    return outputs


def text(implementation):
    """The text of the file, with the outputs of one implementation."""
    lines = []
    for name, statements in examples.every():
        lines.append(f"    {json.dumps(name)}: {{\n")
        for statement, output in printed(statements, backends.load(implementation)).items():
            lines.append(f"        {json.dumps(statement)}:\n            {json.dumps(output)},\n")
        lines.append("    },\n")
    return f"{HEAD}OUTPUTS = {{\n{''.join(lines)}}}\n"


if __name__ == "__main__":
    texts = {implementation: text(implementation) for implementation in backends.available()}
    assert len(set(texts.values())) == 1, "the implementations print different digits: choose others in docstrings/examples.py"
    OUTPUTS.write_text(texts["numpy"], encoding="utf-8")
