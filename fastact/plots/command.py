"""The command `fastact plot`."""

import argparse
import os
import re
import sys
import textwrap

from ..calls.elementwise import nearest
from ..command import bench
from ..declare import ACTIVATIONS
from . import learning, ratios, sheet, style, ulps

DESCRIPTION = """\
Draw functions and what they do, with matplotlib: pip install "fastact[plot]"

  fastact plot                       every function, with its derivative
  fastact plot silu gelu             some of them, larger
  fastact plot silu --beta 0.5,1,2   a family: values of any parameter
"""
EPILOG = """
`plot speed` reads what `fastact bench --json FILE` has written, of which
--dtype and --threads choose a part; without a FILE it measures float32 on one
thread first. Without --out the picture is shown in a window. Where there is no
display it is written into the current folder, as fastact-functions.png
(-gradients.png, ...), and the command says so.

"""


class Kind:
    """A picture with a word of its own in the command: its usage, a line on what it shows, and the function that draws it."""

    def __init__(self, usage, shows, draw):
        self.usage, self.shows, self.draw = usage, shows, draw


def errors(*names):
    """The picture of errors."""
    if len(names) != 1:
        raise ValueError(f"errors takes one function, such as `fastact plot errors sigmoid`, got {len(names)}")
    return ulps.errors(*names)


def alone(name, draw):
    """The function that draws a picture without arguments."""

    def drawn(*given):
        if given:
            raise ValueError(f"{name} takes nothing more, got {' '.join(given)}")
        return draw()

    return drawn


def speed(*given, **part):
    """The picture of speed; `part` has a dtype and a number of threads."""
    if len(given) > 2:
        raise ValueError(f"speed takes one file and one size, got {' '.join(given)}")
    if part and not given:
        raise ValueError(
            f"{spelt(part)} needs a FILE that `fastact bench --json FILE` wrote: fastact plot {KINDS['speed'].usage}"
        )
    if given:
        return ratios.speed(given[0], size=bench.parse_size(given[1]) if given[1:] else None, **part)
    from ..command.cli import progress

    print(
        "measuring, in less than a minute; `fastact plot speed FILE` draws what `fastact bench --json FILE` measured",
        file=sys.stderr,
    )
    return ratios.speed(ratios.measured(progress))


KINDS = {
    "gradients": Kind("gradients", "gradients vanish in 30 layers, ReLUs die", alone("gradients", learning.gradients)),
    "fit-sine": Kind("fit-sine", "ReLUs bend a line into a sine", alone("fit-sine", learning.fit_sine)),
    "errors": Kind("errors sigmoid", "error in ULP, beside torch, jax and scipy", errors),
    "speed": Kind("speed [FILE [SIZE]]", "how many times as fast as plain NumPy", speed),
}
OPTIONS = {"speed": ("dtype", "threads")}  # of pictures


def add(commands):
    """Add the command to the program's."""
    lines = [f"  fastact plot {kind.usage:<22}{kind.shows}\n" for kind in KINDS.values()]
    parser = commands.add_parser(
        "plot",
        help="draw the functions, gradients in a network, errors, speed",
        description=DESCRIPTION + "".join(lines) + EPILOG + textwrap.fill(f"Parameters: {spelt(parameters())}.", 79),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    # Python before 3.14 takes "-0.5,1" and "-1e3" for options.
    parser._negative_number_matcher = re.compile(r"-\.?\d")
    parser.add_argument("what", nargs="*", metavar="WHAT", help="names of functions, or one of the pictures above")
    parser.add_argument("--out", metavar="FILE", type=drawable, help="write to this file: .png, .svg, .pdf or another format")
    parser.add_argument(
        "--range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="draw functions from here to there; default: -7 7"
    )
    parser.add_argument("--dtype", choices=bench.DTYPES, help="draw the speed of this dtype; default: the first of FILE")
    parser.add_argument("--threads", type=int, metavar="N", help="draw the speed on so many threads; default: the first of FILE")
    for name in parameters():
        spellings = dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}"))
        parser.add_argument(*spellings, dest=f"parameter {name}", metavar="V,V,...", help=argparse.SUPPRESS)
    parser.set_defaults(run=lambda options: run(options, parser))
    known = parser.parse_known_args

    def parse(arguments=None, namespace=None):
        """Allow functions after an option too. The error for an unknown option lists the options."""
        options, others = known(arguments, namespace)
        if unknown := [each for each in others if each.startswith("-")]:
            of_each = [takes(name) for name in options.what if name in sheet.names() or name in KINDS]
            parser.error(f"no option {unknown[0]}: {'; '.join(of_each) or f'functions take {spelt(parameters())}'}")
        options.what += others
        return options, []

    parser.parse_known_args = parse


def spelt(names):
    """Parameters as options."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in names) or "no parameter"


def takes(name):
    """What options a function or a picture has besides --out."""
    one = sheet.names().get(name)
    return f"{name} takes {spelt(sheet.taken(one))}" if one else f"{name} takes none but {spelt((*OPTIONS.get(name, ()), 'out'))}"


def parameters():
    """The names of all parameters that functions can be drawn with."""
    return dict.fromkeys(name for one in sheet.names().values() for name in sheet.taken(one))


def run(options, parser):
    """Draw what the options describe, and show or write it."""
    try:
        style.require()
        name, figure = drawn(options)
        path = options.out
        if not path and not show(figure):
            path = f"fastact-{name}.png"
            print(f"no display: writing {path} (--out FILE chooses another)")
        if path:
            style.save(figure, path)
    except (ImportError, ValueError, OSError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def drawn(options):
    """The name of the picture, and the picture."""
    given = {key.split()[1]: text for key, text in vars(options).items() if key.startswith("parameter ") and text is not None}
    first, *others = options.what or [None]
    part = {name: vars(options)[name] for name in OPTIONS["speed"] if vars(options)[name] is not None}
    if part and first != "speed":
        raise ValueError(f"{spelt(part)} is for `fastact plot speed`")
    if first in KINDS:
        if given or options.range:
            raise ValueError(f"{spelt(list(given)[:1] or ['range'])} is for functions, and {first} does not take it")
        return first, KINDS[first].draw(*others, **part)
    for name in options.what:
        if name in KINDS:
            raise ValueError(f"{name} is a picture of its own: it comes first")
        if name not in sheet.names() and (near := nearest(name, KINDS, 0.7)):
            raise ValueError(f"no picture {name!r}: did you mean {near!r}?")
    values = {name: [number(name, part.strip()) for part in text.split(",")] for name, text in given.items()}
    return "functions", sheet.functions(*options.what, range=options.range, **values)


def number(name, text):
    """A value of a parameter: a number, unless it is the option's."""
    if any(one.option == name for one in ACTIVATIONS.values()):
        return text
    try:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        raise ValueError(f"{spelt([name])} needs numbers such as 0.5 or 0.5,1,2, got {text!r}") from None


def drawable(path):
    """The path, if a picture can be written there. This is tried before the work."""
    from ..command.cli import writable

    try:
        endings = style.endings()
    except ImportError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if os.path.splitext(path)[1][1:].lower() not in endings:
        raise argparse.ArgumentTypeError(f"cannot draw {path!r}: its name must end in .{', .'.join(endings)}")
    return writable(path)


def show(figure):
    """Show the picture in a window until that is closed; False where no window can be had."""
    from matplotlib import pyplot

    try:
        canvas = type(pyplot.figure().canvas)
    except ImportError:  # the backend that the user asked for needs a display
        return False
    pyplot.close()
    if canvas.required_interactive_framework is None:
        return False
    manager = canvas.new_manager(figure, 1)
    manager.set_window_title(str(figure.get_label()).partition("\n")[0])
    manager.show()
    manager.start_main_loop()
    return True
