"""Makes the generated files: constants, coefficients, tables and kernels. `python src_c/fit` makes those that are out of date.

`--all` makes all of them; `--check` makes none and says which are out of date. The programs need NumPy and mpmath, and import
the package beside them, compiled or not. The results are committed.
"""

import json
import re
import sys
from pathlib import Path

import check

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
MADE = "Made by `python src_c/fit`; do not edit."


def kept_tables(current, record):
    """The texts of the tables that need not be made again, by name; none where somebody has edited their file."""
    path = check.FILES["tables"]
    if check.texts()[path] != record["texts"].get(path) or current["tables"] != record["sources"].get("tables"):
        return {}
    sections = (check.ROOT / path).read_text(encoding="utf-8").split("\n\n")[1:]
    found = {re.match(r"/\* (\w+):", section)[1]: section.rstrip("\n") + "\n" for section in sections}
    return {name: text for name, text in found.items() if current[f"kernel {name}"] == record["sources"].get(f"kernel {name}")}


def main(everything=False):
    """Make the files that are out of date, and the record."""
    import exp
    import kernels
    import tables
    import tails
    import words

    record = {"sources": {}, "texts": {}} if everything else json.loads(check.RECORD.read_text(encoding="utf-8"))
    current, texts = check.sources(), check.texts()
    old = {product for product in current if record["sources"].get(product) != current[product]}
    formulas = any(product.startswith("kernel ") for product in old)
    makers = {
        "constants": lambda: f"/* {MADE} */\n" + exp.polynomials() + exp.eighths() + exp.powers(),
        "coefficients": lambda: words.coefficients(MADE),
        "tail_terms": lambda: f"/* {MADE} */\n" + tails.tail_terms(),
        "kernels": lambda: f"/* {MADE} */\n" + kernels.kernels(),
        "tables": lambda: f"/* {MADE} */\n\n" + "\n".join(kept.get(name) or tables.table(name) for name in tables.TABLES),
    }
    kept = kept_tables(current, record)
    kernels.check()
    for product, make in makers.items():
        path = check.FILES[product]
        of_formulas = product in ("kernels", "tables", "tail_terms")
        if product in old or record["texts"].get(path) != texts[path] or (formulas and of_formulas):
            (check.ROOT / path).write_text(make(), encoding="utf-8")
            print(f"made {path}")
    for name, file in sorted({**kernels.WRITTEN_BY_HAND, **kernels.OUTSIDE_BY_HAND}.items()):
        if f"kernel {name}" in old:
            print(f"the formula of {name} has changed: src_c/fitted/{file} has a part of it that was written by hand")
    check.RECORD.write_text(json.dumps({"sources": current, "texts": check.texts()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(check.complaint() or 0)
    main("--all" in sys.argv)
