"""The cases of `fastact bench` under pytest-benchmark: `pytest benchmarks --benchmark-enable`.

There is a group for each function, pass and size. In it stand the compiled core on one thread, the plain line
of NumPy and the fallback.
"""

import pytest

import fastact
from fastact.command import bench

CONTESTANTS = bench.contestants()
SIZES = (16, 1 << 10, 256 << 10)


@pytest.fixture(scope="module")
def memory():
    """The arrays that all cases share."""
    return bench.Memory(max(SIZES))


@pytest.mark.parametrize(
    ("case", "size"),
    bench.work(bench.cases(), SIZES),
    ids=lambda value: value.title if isinstance(value, bench.Case) else str(value),
)
@pytest.mark.parametrize("label", CONTESTANTS)
def test_function(benchmark, memory, case, size, label):
    """Time one contestant on one case."""
    benchmark.group = f"{case.title}, {bench.format_size(size)} elements"
    call = CONTESTANTS[label](case, memory.operands(case, size))
    if call is None:
        pytest.skip("nobody writes a line for it")
    with fastact.num_threads(1):
        benchmark(call)
