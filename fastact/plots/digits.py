"""Images of digits to learn from. They are drawn here, so that no data set is needed."""

import numpy as np

# Each digit as 7 rows of 5 points.
GLYPHS = (
    "01110 10001 10011 10101 11001 10001 01110",
    "00100 01100 00100 00100 00100 00100 01110",
    "01110 10001 00001 00010 00100 01000 11111",
    "11111 00010 00100 00010 00001 10001 01110",
    "00010 00110 01010 10010 11111 00010 00010",
    "11111 10000 11110 00001 00001 10001 01110",
    "00110 01000 10000 11110 10001 10001 01110",
    "11111 00001 00010 00100 01000 01000 01000",
    "01110 10001 10001 01110 10001 10001 01110",
    "01110 10001 10001 01111 00001 00010 01100",
)


def digits(count, rng):
    """Images of digits, moved, thick or thin, blurred and noisy: rows of 8 x 8 numbers around 0 to 1; and the digits in them."""
    glyphs = np.array([[list(map(int, row)) for row in glyph.split()] for glyph in GLYPHS], np.float32)
    labels = rng.integers(0, 10, count)
    canvas = np.zeros((count, 10, 10), np.float32)
    for image, label in zip(canvas, labels, strict=True):
        down, right = rng.integers(0, 4), rng.integers(1, 5)
        image[down : down + 7, right : right + 5] = glyphs[label]
    thickness, blur = rng.uniform(0, 0.8, (2, count, 1, 1)).astype(np.float32)
    canvas = np.maximum(canvas, thickness * np.roll(canvas, 1, 2))
    canvas += blur * (np.roll(canvas, 1, 1) + np.roll(canvas, -1, 1)) / 2
    canvas *= rng.uniform(0.5, 1, (count, 1, 1)).astype(np.float32)
    canvas += rng.normal(0, 0.12, canvas.shape).astype(np.float32)
    return canvas[:, 1:9, 1:9].reshape(count, 64), labels
