"""Properties that hold for any shapes, strides, broadcasting and values, tried on examples that hypothesis makes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import arrays
from arrays import assert_same_bits
from passes import IMPLEMENTATIONS, PASSES, ROWS, Pass

implementations = st.sampled_from(IMPLEMENTATIONS)
dtypes = st.sampled_from([np.float32, np.float64])


@st.composite
def views(draw, shape, dtype, least=None, most=None):
    """A view of a shape, with any strides, any order of axes and any values in a range. Along some axes it is broadcast."""
    order = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 1, 2, 3, -1, -2, 0])) for _ in shape]
    lengths = [1 if step == 0 else length * abs(step) for length, step in zip(shape, steps, strict=True)]
    width = np.dtype(dtype).itemsize * 8
    least, most = (None if end is None else float(dtype(end)) for end in (least, most))
    fill = st.just(dtype(0.5 if least is None else least))
    values = draw(hnp.arrays(dtype, [lengths[i] for i in order], elements=st.floats(least, most, width=width), fill=fill))
    view = values.transpose(np.argsort(order)) if shape else values
    view = view[tuple(slice(None, None, step or 1) for step in steps)]
    return np.broadcast_to(view, shape)


@st.composite
def calls(draw):
    """A pass, its operands, and an array for one of its parameters if it has any. All broadcast together."""
    one, dtype = draw(st.sampled_from(PASSES)), draw(dtypes)
    names = [draw(st.sampled_from(one.varied))] if one.varied else []
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=one.operands + len(names), max_dims=3, max_side=9))
    inputs = [draw(views(shape, dtype)) for shape in shapes.input_shapes[: one.operands]]
    parameters = {name: draw(views(shapes.input_shapes[-1], dtype, *one.range(name))) for name in names}
    return one, inputs, parameters, shapes.result_shape, dtype


@given(implementations, calls())
def test_elements_depend_on_their_operands_alone(implementation, call):
    """A result has the broadcast shape, and each element has the bits of a call on its operands alone."""
    one, inputs, parameters, shape, dtype = call
    function = one.of(implementation)
    results = function(*inputs, **parameters)
    every = [np.broadcast_to(values, shape).ravel() for values in (*inputs, *parameters.values())]
    for k, result in enumerate(results if one.outputs > 1 else [results]):
        assert np.shape(result) == shape
        for i, got in enumerate(np.ravel(result)):
            alone = [values[i] for values in every]
            expected = function(*alone[: one.operands], **dict(zip(parameters, alone[one.operands :], strict=True)))
            expected = expected[k] if one.outputs > 1 else expected
            assert_same_bits(got, np.asarray(expected, dtype), f"element {i} of result {k}")


@given(implementations, st.sampled_from(PASSES), dtypes, st.data())
def test_out_anywhere_in_the_same_memory(implementation, one, dtype, data):
    """An out= that overlaps the operands in any way gets the bits that a new array would."""
    function = one.of(implementation)
    memory = np.linspace(-4, 4, 96).astype(dtype)
    length = data.draw(st.integers(1, 30))

    def view():
        step = data.draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        start = data.draw(st.integers(0, 95 - (length - 1) * abs(step)))
        first = start if step > 0 else start + (length - 1) * -step
        return memory[first::step][:length]

    inputs, out = [view() for _ in range(one.operands)], view()
    expected = function(*(values.copy() for values in inputs))
    out = (out, np.empty_like(out)) if one.outputs > 1 else out
    function(*inputs, out=out)
    assert_same_bits(out, expected, "overlapping")


@given(implementations, st.sampled_from(ROWS), dtypes, hnp.array_shapes(max_dims=3, max_side=20), st.data())
def test_sums_of_rows(implementation, one, dtype, shape, data):
    """Rows of probabilities sum to 1, or with a sink to less, and rows of gradients to 0, along any axis of any view."""
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    width = np.dtype(dtype).itemsize * 8
    logits = hnp.arrays(dtype, shape, elements=st.floats(-50, 50, width=width))
    order = data.draw(st.permutations(range(len(shape))))
    x = np.asarray(np.ascontiguousarray(data.draw(logits).transpose(order)).transpose(np.argsort(order)))
    y = Pass(one.activation, "forward").of(implementation)(x, axis=axis)
    eps = np.finfo(dtype).eps
    sums = (np.exp(y) if one.activation.startswith("log") else y).sum(axis=axis, dtype=np.float64)
    with_sink = one.activation == "softmax_one"
    assert ((sums <= 1 + 50 * eps) & (with_sink or sums >= 1 - 50 * eps)).all()
    if one.operands == 2 and not with_sink:
        grad = arrays.pool(dtype)[np.isfinite(arrays.pool(dtype))]
        grad = np.resize(grad[np.abs(grad) < 50], shape)
        dx = one.of(implementation)(grad, y if one.kind == "from_output" else x, axis=axis)
        np.testing.assert_allclose(dx.sum(axis=axis, dtype=np.float64), 0, rtol=0, atol=50 * 30 * eps)
