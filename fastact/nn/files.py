"""Networks in files, in NumPy's .npz format without pickle: arrays and one text, which NumPy alone can read."""

import contextlib
import json
import os
import zipfile
from typing import Any

import numpy as np

from .data import finite
from .layers import Dense
from .losses import TASKS

FORMAT = "fastact network 1"


def save(network, path):
    """Write a network, see Network.save."""
    layers = []
    arrays: dict[str, Any] = {}
    for i, layer in enumerate(network.layers):
        if layer.function.is_own:
            raise ValueError(f"layer {i} has functions of your own, {layer.function!r}: a file holds only names")
        layers.append({"activation": layer.function.name, "parameters": layer.function.parameters})
        arrays |= {f"weights_{i}": layer.weights, f"bias_{i}": layer.bias}
    finite("parameters", network.parameters)  # `load` would refuse them
    text = json.dumps({"format": FORMAT, "task": network.task, "layers": layers})
    with contextlib.ExitStack() as stack:
        file = path if hasattr(path, "write") else stack.enter_context(open(path, "wb"))  # np.savez would add .npz to the name
        np.savez(file, network=np.array(text), **arrays)


def load(path):
    """Read a network that `Network.save` wrote.

    Parameters
    ----------
    path : str, path or binary file

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If the file is no network of fastact, or does not hold together. Nothing in it is ever run.

    Examples
    --------
    >>> import io
    >>> from fastact.nn import Dense, Network, load
    >>> file = io.BytesIO()
    >>> Network(Dense(2, 3, "elu", alpha=0.5), Dense(3, 2), rng=0).save(file)
    >>> load(io.BytesIO(file.getvalue()))
    Network(Dense(2, 3, 'elu', alpha=0.5), Dense(3, 2, None))
    """
    with contextlib.ExitStack() as stack:
        file = path if hasattr(path, "read") else stack.enter_context(open(path, "rb"))
        try:
            return read(file)
        except Exception as error:  # a broken or hostile file can cause any error in zipfile, json and NumPy
            reason = f"{error}" or type(error).__name__
            raise ValueError(f"{getattr(file, 'name', path)!r} is no network of fastact that can be read: {reason}") from error


def read(file):
    """The network in a file. It raises some exception where there is none."""
    from .network import Network

    refuse_foreign(file)
    with np.load(file, allow_pickle=False) as arrays:
        facts = json.loads(str(arrays["network"][()]))
        if facts["format"] != FORMAT:
            raise ValueError(f"its format is {facts['format']!r}, not {FORMAT!r}")
        if facts["task"] not in (None, *TASKS):
            raise ValueError(f"its task is {facts['task']!r}")
        layers = []
        for i, layer in enumerate(facts["layers"]):
            if layer["activation"] is not None and not isinstance(layer["activation"], str):
                raise ValueError(f"the activation of layer {i} is {layer['activation']!r}")
            layers.append(Dense.of(arrays[f"weights_{i}"], arrays[f"bias_{i}"], layer["activation"], **layer["parameters"]))
    return Network(*layers, task=facts["task"])


def refuse_foreign(file):
    """Refuse a file of other arrays, and a compressed one, which may need any amount of memory: `save` compresses nothing."""
    start = file.tell()
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if "network.npy" not in (names := [entry.filename for entry in entries]):
        held = ", ".join(name.removesuffix(".npy") for name in names[:6]) or "nothing"
        raise ValueError(f"it holds {held}, and no 'network'; Dense.of(weights, bias, activation) takes arrays from elsewhere")
    size = file.seek(0, os.SEEK_END)
    file.seek(start)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("its arrays are compressed")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("its arrays overlap")
