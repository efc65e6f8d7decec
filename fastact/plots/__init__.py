"""Pictures of the functions: their curves, their effect in a network, their accuracy and their speed.

Each function returns a matplotlib Figure, which knows nothing of pyplot and its state: save it with its `savefig`, or with
`save`, which makes the same bytes each time and adds a text for those who cannot see it. `fastact plot` is the same as a
command. matplotlib is needed: pip install "fastact[plot]".
"""

from .learning import fit_sine, gradients
from .ratios import speed
from .sheet import functions
from .style import save
from .ulps import errors

__all__ = ["errors", "fit_sine", "functions", "gradients", "save", "speed"]
