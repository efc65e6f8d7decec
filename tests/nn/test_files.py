"""A saved network comes back to the bit, and files that are wrong or hostile raise a ValueError."""

import io
import json
import zipfile

import numpy as np
import pytest

from fastact.nn import Dense, Network, load


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_network_comes_back(tmp_path, dtype):
    """Bits, names, parameters and task are the same after loading. np.load reads the arrays."""
    X = np.random.default_rng(0).normal(size=(30, 3))
    net = Network(Dense(3, 5, "elu", alpha=0.5), Dense(5, 4, "gelu", approximate="tanh"), Dense(4, 1), rng=0, dtype=dtype)
    net.fit(X, X[:, 0] > 0, epochs=2)
    net.save(tmp_path / "net")  # the file gets this name, without an ending
    other = load(tmp_path / "net")
    np.testing.assert_array_equal(other.parameters, net.parameters)
    np.testing.assert_array_equal(other.predict(X), net.predict(X))
    assert other.dtype == dtype
    assert repr(other) == repr(net)
    assert other.task == "binary"
    with np.load(tmp_path / "net", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["weights_1"], net.layers[1].weights)
        assert json.loads(str(arrays["network"]))["layers"][1]["activation"] == "gelu"


def test_functions_of_the_user_cannot_be_saved(tmp_path):
    """A network with the user's own functions is not saved, and no file is begun."""
    net = Network(Dense(2, 2, (np.sin, lambda grad, x: grad * np.cos(x))))
    with pytest.raises(ValueError, match="layer 0 has functions of your own"):
        net.save(tmp_path / "net.npz")
    assert not list(tmp_path.iterdir())


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    """A network with NaN in its weights is not saved, because load refuses NaN."""
    net = Network(Dense(2, 2))
    net.layers[0].weights[1, 0] = np.nan
    with pytest.raises(ValueError, match="parameters must be finite in float32, got nan at 2"):
        net.save(tmp_path / "net.npz")
    assert not list(tmp_path.iterdir())


def saved(**changes):
    """The bytes of a saved network in which some entries are changed. None leaves an entry out."""
    net = Network(Dense(2, 3, "relu"), Dense(3, 2), rng=0)
    facts = {"format": "fastact network 1", "task": None, "layers": [{"activation": "relu", "parameters": {}}] * 2}
    arrays = {f"{name}_{i}": getattr(layer, name) for i, layer in enumerate(net.layers) for name in ("weights", "bias")}
    arrays |= {name: value for name, value in changes.items() if name in arrays}
    facts |= {name: value for name, value in changes.items() if name in facts}
    file = io.BytesIO()
    arrays["network"] = changes.get("network", np.array(json.dumps(facts)))
    (np.savez_compressed if changes.get("compressed") else np.savez)(file, **{k: v for k, v in arrays.items() if v is not None})
    return file.getvalue()


def test_the_file_without_changes_loads():
    """What `saved` makes without changes can be loaded, so that the changes are what the tests below find."""
    assert load(io.BytesIO(saved())).shape[0] == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip at all",
        saved()[:-30],
        saved()[:200],
        saved(compressed=True),
        saved(format="keras"),
        saved(task="world domination"),
        saved(layers=[]),
        saved(layers=[{"activation": "relu"}]),
        saved(layers=[{"activation": "os.system", "parameters": {}}] * 2),
        saved(layers=[{"activation": ["relu", "relu"], "parameters": {}}] * 2),
        saved(layers=[{"activation": "elu", "parameters": {"alpha": [1, 2]}}] * 2),
        saved(layers=[{"activation": "relu", "parameters": {"rng": 3, "out": 2}}] * 2),
        saved(layers=[{"activation": "relu", "parameters": {"dtype": "float32"}}] * 2),
        saved(layers=[{"activation": "relu", "parameters": {"where": False}}] * 2),
        saved(layers=[{"activation": "elu", "parameters": {"alpha": float("nan")}}] * 2),
        saved(layers="relu"),
        saved(weights_0=np.ones((2, 4), np.float32)),
        saved(weights_0=np.full((2, 3), np.nan, np.float32)),
        saved(weights_0=np.ones((2, 3), np.float64)),
        saved(weights_0=None),
        saved(bias_1=np.ones(5, np.float32)),
        saved(bias_1=np.array([None, None])),
        saved(network=np.array("{")),
        saved(network=np.array("[" * 100_000)),
        saved(network=np.array([1, 2])),
        saved(network=np.array({"format": 1}, object)),
    ],
)
def test_wrong_files_raise_a_value_error(content):
    """Whatever is wrong with a file, load raises a ValueError."""
    with pytest.raises(ValueError, match="is no network of fastact that can be read"):
        load(io.BytesIO(content))


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_a_file_with_other_arrays_is_refused(write):
    """The message says which arrays the file holds, and how to make a layer of them."""
    file = io.BytesIO()
    write(file, w1=np.ones((2, 3)), b1=np.zeros(3))
    file.seek(0)
    with pytest.raises(ValueError, match=r"it holds w1, b1, and no 'network'; Dense.of\(weights, bias, activation\) takes"):
        load(file)


def test_a_broken_byte_is_found_or_harmless():
    """If a byte is changed, load raises a ValueError, or gives a network with finite weights."""
    content = saved()
    generator = np.random.default_rng(0)
    for at in generator.integers(0, len(content), 300):
        broken = bytearray(content)
        broken[at] ^= int(generator.integers(1, 256))
        try:
            net = load(io.BytesIO(bytes(broken)))
        except ValueError as error:
            assert "is no network of fastact" in str(error)
        else:
            assert np.isfinite(net.parameters).all()


def test_a_huge_array_in_a_header_is_refused():
    """A small file whose header promises an array of 10^15 numbers is refused."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved())) as good, zipfile.ZipFile(file, "w") as bad:
        for entry in good.namelist():
            content = good.read(entry)
            if entry == "weights_0.npy":
                content = content.replace(b"(2, 3), }" + b" " * 13, b"(2, 3000000000000000), }"[:22])
                content = content.replace(b"(2, 3)", b"(2, 3)")
            bad.writestr(entry, content)
    with pytest.raises(ValueError, match="no network"):
        load(io.BytesIO(file.getvalue()))


def test_a_missing_file_raises_file_not_found(tmp_path):
    """A file that does not exist raises FileNotFoundError, as open does."""
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")
