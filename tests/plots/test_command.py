"""The command `fastact plot` writes files or shows windows, and wrong arguments give one line and exit code 2."""

import json
import sys
import types

import pytest

import fastact
from fastact.command import cli
from fastact.declare import ACTIVATIONS
from fastact.plots import command, style

import pictures
from building import run, started


@pytest.fixture
def matplotlib():
    """matplotlib. A test that needs it is skipped where it is not installed."""
    return pytest.importorskip("matplotlib")


@pytest.fixture
def no_display(matplotlib, monkeypatch, tmp_path):
    """An empty current folder, and a backend that shows no windows."""
    from matplotlib import pyplot

    before = matplotlib.get_backend()
    pyplot.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    pyplot.switch_backend(before)


def refused(capsys, *arguments):
    """The line that the command prints for wrong arguments. The exit code must be 2."""
    with pytest.raises(SystemExit) as raised:
        cli.main(["plot", *arguments])
    assert raised.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("fastact plot: error: ")
    return printed.err


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
@pytest.mark.parametrize(
    "arguments", [["silu", "gelu"], ["silu", "--beta", "0.5,1,2", "--range", "-8", "8"], ["errors", "relu"], ["fit-sine"]]
)
def test_the_ending_chooses_the_kind_of_file(matplotlib, tmp_path, capsys, arguments, ending):
    """--out writes a file of the kind that its ending says. Nothing else is written or printed."""
    path = tmp_path / f"picture.{ending}"
    assert cli.main(["plot", *arguments, "--out", str(path)]) == 0
    assert path.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending])
    assert list(tmp_path.iterdir()) == [path]
    assert capsys.readouterr() == ("", "")


def test_without_a_display_a_file_is_written(no_display, capsys):
    """Without a display the picture is written into the current folder, and the command says so."""
    for arguments, name in (([], "functions"), (["mish"], "functions"), (["gradients"], "gradients"), (["fit-sine"], "fit-sine")):
        assert cli.main(["plot", *arguments]) == 0
        assert capsys.readouterr() == (f"no display: writing fastact-{name}.png (--out FILE chooses another)\n", "")
        assert (no_display / f"fastact-{name}.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(no_display.iterdir())) == 3


def test_the_command_gives_no_warning(matplotlib, tmp_path):
    """The command works in a new process where warnings are errors, on either backend.

    It also works without a display, even if MPLBACKEND needs one.
    """
    for environment in ({}, {"FASTACT_BACKEND": "numpy"}, {"MPLBACKEND": "TkAgg", "DISPLAY": "", "WAYLAND_DISPLAY": ""}):
        program = "import sys; from fastact.command.cli import main; sys.exit(main(['plot', 'gelu', 'relu', '--out', 'a.svg']))"
        run(tmp_path, "-W", "error", "-c", program, **environment)
        made = tmp_path / "a.svg"
        assert "<title>gelu and relu with their derivatives</title>" in made.read_text(encoding="utf-8")
        made.unlink()
        if environment:
            program = "import sys; from fastact.command.cli import main; sys.exit(main(['plot', 'relu']))"
            environment = {"MPLBACKEND": "agg", **environment, "DISPLAY": "", "WAYLAND_DISPLAY": ""}
            assert "fastact-functions.png" in run(tmp_path, "-W", "error", "-c", program, **environment)


def test_a_picture_is_shown_in_a_window(matplotlib, monkeypatch, tmp_path, capsys):
    """If matplotlib's backend has windows, the picture is shown in one, and no file is written."""
    from matplotlib import pyplot
    from matplotlib.backend_bases import FigureCanvasBase, FigureManagerBase

    events = []

    class Manager(FigureManagerBase):
        def set_window_title(self, title):
            events.append(title)

        def show(self):
            events.append(self.canvas.figure)

        @classmethod
        def start_main_loop(cls):
            events.append("shown until it is closed")

    class Canvas(FigureCanvasBase):
        required_interactive_framework = "headless"  # no display is needed for this framework
        manager_class = Manager

    backend = types.ModuleType("windows_of_the_test")
    backend.FigureCanvas, backend.FigureManager = Canvas, Manager
    monkeypatch.setitem(sys.modules, "windows_of_the_test", backend)
    monkeypatch.chdir(tmp_path)
    before = matplotlib.get_backend()
    pyplot.switch_backend("module://windows_of_the_test")
    try:
        assert cli.main(["plot", "gelu"]) == 0
    finally:
        pyplot.switch_backend(before)
    title, figure, loop = [event for event in events if event != ""][-3:]
    assert title == "gelu with its derivative"
    assert figure.get_label().startswith(title)
    assert loop == "shown until it is closed"
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sigmod"], "no elementwise function 'sigmod': did you mean 'sigmoid'?"),
        (["gradient"], "no picture 'gradient': did you mean 'gradients'?"),
        (["fitsine"], "did you mean 'fit-sine'?"),
        (["relu", "gradients"], "gradients is a picture of its own: it comes first"),
        (["gelu", "--beta", "1"], "no parameter 'beta' here: gelu takes approximate"),
        (["relu", "--beta", "1"], "no parameter 'beta' here: relu takes none"),
        (["gelu", "--approximate", "exact"], "argument approximate must be 'none' or 'tanh', got 'exact'"),
        (["silu", "--beta", "1,x"], "--beta needs numbers such as 0.5 or 0.5,1,2, got 'x'"),
        (["silu", "--beta", ""], "--beta needs numbers"),
        (["softcap", "--cap", "-1"], "softcap() needs cap > 0, got cap=-1"),
        (["silu", "gradients", "--gamma", "1"], "no option --gamma: silu takes --beta; gradients takes none but --out"),
        (["relu", "--alpha=1", "--gamma=1"], "no option --gamma=1: relu takes no parameter"),
        (["--gamma", "1"], "no option --gamma: "),
        (["--bet", "1"], "functions take --negative-slope, --alpha, --approximate, "),
        (["silu", "--range", "3", "-3"], "argument range must be two finite numbers, the smaller first, got 3 and -3"),
        (["silu", "--range", "nan", "1"], "two finite numbers"),
        (["gradients", "--range", "0", "1"], "--range is for functions, and gradients does not take it"),
        (["errors", "leaky_relu", "--negative-slope", "1"], "--negative-slope is for functions"),
        (["errors"], "errors takes one function, such as `fastact plot errors sigmoid`, got 0"),
        (["errors", "relu", "elu"], "got 2"),
        (["errors", "softmax"], "it works along an axis"),
        (["fit-sine", "relu"], "fit-sine takes nothing more, got relu"),
        (["speed", "missing.json"], "No such file or directory: 'missing.json'"),
        (["speed", "a.json", "16", "17"], "speed takes one file and one size"),
        (["speed", "a.json", "many"], "'many' is no size"),
        (["--out", "picture.xyz"], "cannot draw 'picture.xyz': its name must end in ."),
        (["--out", "picture"], "its name must end in"),
        (["--out", "no/such/folder/a.png"], "cannot write 'no/such/folder/a.png': No such file"),
    ],
)
def test_wrong_arguments_are_refused(no_display, capsys, arguments, message):
    """Wrong arguments give one line that says what would be right, exit code 2, and no file."""
    assert message in refused(capsys, *arguments)
    assert list(no_display.iterdir()) == []


def test_negative_numbers_are_no_options(no_display):
    """A negative number is taken as a number, also in a list and with an exponent."""
    assert cli.main(["plot", "threshold", "--value", "-0.5,-1", "--threshold=-1e-1,.5", "--range", "-1e1", "2.5e0"]) == 0


def test_functions_may_stand_after_options(no_display):
    """Names of functions may stand before and after options. All of them are drawn."""
    assert cli.main(["plot", "silu", "--beta", "2", "gelu", "--out", "a.svg", "relu"]) == 0
    assert "<title>silu and gelu and relu" in (no_display / "a.svg").read_text(encoding="utf-8")


def test_every_parameter_is_an_option():
    """The command has an option for every parameter of a function."""
    names = {name for one in ACTIVATIONS.values() if one.public for name in one.parameters}
    assert names | {"approximate"} == set(command.parameters())
    assert {"negative_slope", "min_val", "cap", "weight"} < names


def test_speed_reads_a_record(no_display, capsys):
    """`speed FILE SIZE` draws a record, and measures nothing. A size that the record does not have is refused."""
    (no_display / "bench.json").write_text(json.dumps(pictures.RECORD), encoding="utf-8")
    assert cli.main(["plot", "speed", "bench.json", "16", "--out", "speed.svg"]) == 0
    assert capsys.readouterr() == ("", "")
    assert "16 elements of float32" in (no_display / "speed.svg").read_text(encoding="utf-8")
    assert "it has 16, 256Ki" in refused(capsys, "speed", "bench.json", "17")
    assert "it has float32 on 1 thread" in refused(capsys, "speed", "bench.json", "--threads", "2")
    assert "no rows of float16: it has" in refused(capsys, "speed", "bench.json", "--dtype", "float16")
    assert "--dtype needs a FILE" in refused(capsys, "speed", "--dtype", "float16")
    assert "--threads is for `fastact plot speed`" in refused(capsys, "silu", "--threads", "2")
    assert cli.main(["plot", "speed", "bench.json", "--dtype", "float32", "--threads", "1", "--out", "speed.svg"]) == 0


def test_speed_without_a_file_measures(no_display, capsys, monkeypatch):
    """`speed` without a file measures, and says so before."""
    monkeypatch.setattr(command.ratios, "measured", lambda progress: pictures.RECORD)
    assert cli.main(["plot", "speed"]) == 0
    printed = capsys.readouterr()
    assert "measuring" in printed.err
    assert "fastact-speed.png" in printed.out


def test_an_interrupt_ends_the_command(no_display, monkeypatch):
    """Ctrl-C ends the command with exit code 130, without a traceback."""

    def interrupted(progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(command.ratios, "measured", interrupted)
    assert cli.main(["plot", "speed"]) == 130


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch, capsys, tmp_path):
    """Without matplotlib the command and the functions of fastact.plots say how to install it, and write no file."""
    monkeypatch.chdir(tmp_path)
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backend_bases"):
        monkeypatch.setitem(sys.modules, name, None)
    for arguments in ([], ["silu"], ["errors", "silu"], ["speed"], ["speed", "a.json"], ["gradients"], ["--out", "a.png"]):
        assert 'pip install "fastact[plot]"' in refused(capsys, *arguments)
    plots = fastact.plots
    for draw in (plots.functions, plots.gradients, plots.fit_sine, lambda: plots.errors("silu"), plots.speed):
        with pytest.raises(
            ImportError, match=r'^pictures need matplotlib, which is not installed: pip install "fastact\[plot\]"$'
        ):
            draw()
    with pytest.raises(ImportError, match="pictures need matplotlib"):
        style.save(None, "a.png")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_imported_before_it_is_needed(tmp_path):
    """`import fastact` does not import fastact.plots, and `import fastact.plots` does not import matplotlib."""
    run(tmp_path, "-c", "import sys, fastact; assert not any(name.startswith('fastact.plots') for name in sys.modules)")
    run(tmp_path, "-c", "import sys, fastact.plots, fastact.command.cli; assert 'matplotlib' not in sys.modules")


def test_help_has_every_picture(capsys, tmp_path):
    """The help has a line for every picture, and the help of `fastact` names the command."""
    with pytest.raises(SystemExit) as raised:
        cli.main(["plot", "--help"])
    assert raised.value.code == 0
    printed = capsys.readouterr().out
    for name in ("silu gelu", "--beta 0.5,1,2", "gradients", "fit-sine", "errors sigmoid", "speed [FILE [SIZE]]"):
        assert f"fastact plot {name}" in printed or name in printed
    assert all(len(line) < 80 for line in printed.splitlines())
    assert "plot" in started(tmp_path, "-c", "from fastact.command.cli import main; main(['--help'])").stdout
