"""Finds the faults of a picture that a reader would see: text that touches other text or a line, or leaves the figure."""

import itertools

NAMES = ["binary_cross_entropy_with_logits", "gelu[tanh]", "softmax[axis 0]", "relu", "tanh"]
# A record in the form that `fastact bench --json` writes. Later functions have larger ratios, small arrays half as large ones.
RECORD = {
    "machine": {
        **{"fastact": "1.0", "simd": "avx512", "numpy": "2.4.0", "cpu": "A processor", "date": "2026-11-22T08:25:30Z"},
        **dict.fromkeys(("reason", "blas", "cores", "load"), "?"),
    },
    "plain": {},
    "rows": [
        {
            "name": name,
            "pass": step,
            "title": name,
            "dtype": "float32",
            "size": size,
            "ns_per_element": {"compiled": 0.1, "plain": ratio / 10},
            "spread": {"compiled": 1.0},
        }
        for size, factor in ((16, 0.5), (1 << 18, 1))
        for i, name in enumerate(NAMES)
        for step, ratio in (("forward", factor * 3**i / 2), ("backward", factor * (7 - i)), ("backward y=", 1))
    ],
}


def boxes(figure):
    """All text of a figure, as (text, box in pixels, axes or None). Labels of ticks count only where they are drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    artists = [(text, None) for text in figure.texts]
    artists += [(text, None) for legend in figure.legends for text in legend.get_texts()]
    for axes in figure.axes:
        artists += [(text, axes) for text in axes.texts]
        artists += [(text, None) for text in (axes.title, axes.xaxis.label, axes.yaxis.label)]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            shown = [tick for tick in axis.get_major_ticks() + axis.get_minor_ticks() if low <= tick.get_loc() <= high]
            artists += [(tick.label1, None) for tick in shown if tick.label1.get_visible()]
    found = [(text.get_text(), text.get_window_extent(renderer), axes) for text, axes in artists if text.get_text().strip()]
    assert found
    return found


def faults(figure):
    """The faults of a picture, each as a sentence."""
    from matplotlib.transforms import Bbox

    found = boxes(figure)
    whole = figure.bbox
    faults = []
    for text, box, axes in found:
        if box.x0 < whole.x0 or box.y0 < whole.y0 or box.x1 > whole.x1 or box.y1 > whole.y1:
            faults.append(f"{text!r} leaves the figure")
        inner = Bbox.from_extents(box.x0, box.y0 + 2, box.x1, box.y1 - 2)
        for line in axes.lines if axes is not None else ():
            if line.get_transform().transform_path(line.get_path()).intersects_bbox(inner, filled=False):
                faults.append(f"a line goes through {text!r}")
    for (text, box, _), (other, beside, _) in itertools.combinations(found, 2):
        if box.x0 < beside.x1 + 1 and beside.x0 < box.x1 + 1 and box.y0 < beside.y1 and beside.y0 < box.y1:
            faults.append(f"{text!r} touches {other!r}")
    return faults
