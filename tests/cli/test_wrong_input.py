"""What is wrong on a command line ends in one line on standard error, and nothing is written."""

import click
import pytest

from jaxosim.cli import main as cli

NOT_A_NUMBER = ("", " ", "abc", "nan", "inf", "-inf", "1e400", "0x10", "1,5", "a\nb", "\x1b[31m1")
NOT_WHOLE = (*NOT_A_NUMBER, "1.5", "-1", "1e3")
NOT_A_CHOICE = (*NOT_WHOLE, "0", "float16", "3d")
HUGE = "99999999999999999999"
# Of options that a function reads, beside what is no number.
OTHERS = {
    "seconds": ("-1", "0", "-0.0", "1e-400"),
    "controls": ("0", "constant", "constant:", "constant:nan", "constant:2", "sine:1"),
    "size": ("0", "0x0", "1x", "x1", "-1x1", "9999x1", "1.5x1", "1x1x1", f"{HUGE}x1"),
    "grid": ("0", "0x1", "17x1", "1x", "axb"),
}
FILES = {
    "empty.npz": b"",
    "junk.npz": b"PK\x03\x04 and no more",
    "empty.osim": b"",
    "junk.osim": b"<OpenSimDocument",
    "empty.sto": b"",
    "junk.mot": b"x\x1b[31m\nnRows=1\nendheader\n",
    "binary.sto": bytes(range(256)),
    "text.txt": b"hello",
}
NOT_A_FILE = ("", "none.npz", "none.osim", "none/x.sto", "folder", "folder.npz", "folder.osim")
NOT_A_FILE += ("\x1b[31m", "a\nb.osim", "n" * 5000, "n" * 5000 + ".npz", "-", "/dev/null")
NOT_TO_WRITE = ("", "x", "x.txt", "x.npz.gz", "folder", ".npz", "\x1b[31m", "n" * 5000)
WRITTEN = {
    "rollout": (["arm2dof6musc", "--batch", "1", "--seconds", "0.01"], "--out", ".npz"),
    "render": (["arm2dof6musc"], "--out", ".png"),
    "view": (["arm2dof6musc"], "--html", ".html"),
}
# Complete but for what is put in; the files do not exist, lest a command runs.
COMMANDS = {
    "info": ["none.osim"],
    "rollout": ["none.osim"],
    "obs": ["Arm2DEnv"],
    "bench": [],
    "plot": ["none.npz", "--out", "x.png"],
    "render": ["none.npz", "--out", "x.png"],
    "view": ["none.npz", "--html", "x.html"],
}


def options_of(command):
    return [
        parameter
        for parameter in cli.commands.get_command(click.Context(cli.commands), command).params
        if isinstance(parameter, click.Option) and not parameter.is_flag
    ]


def is_number(parameter):
    return isinstance(parameter.type, click.types.IntParamType | click.types.FloatParamType)


OPTIONS = [(command, option) for command in COMMANDS for option in options_of(command)]


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """What a command line that must fail says, and its status; no file may come or change."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    for name in ("folder", "folder.npz", "folder.osim", "folder.sto", "folder.png", "folder.html"):
        (tmp_path / name).mkdir()
    before = sorted(tmp_path.rglob("*"))

    def fail(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        error = capsys.readouterr().err
        assert error.startswith("jaxosim: ") and error.count("\n") == 1, (arguments, error)
        assert error.rstrip("\n").isprintable(), (arguments, error)
        assert sorted(tmp_path.rglob("*")) == before, arguments
        assert all((tmp_path / name).read_bytes() == FILES[name] for name in FILES)
        return caught.value.code, error

    return fail


def wrong_values(option):
    if option.name in OTHERS:
        return (*NOT_A_NUMBER, *OTHERS[option.name])
    if isinstance(option.type, click.Choice):
        return NOT_A_CHOICE
    whole = isinstance(option.type, click.types.IntParamType)
    bounded = getattr(option.type, "max", None) is not None
    return (NOT_WHOLE if whole else NOT_A_NUMBER) + ((HUGE, f"-{HUGE}") if bounded else ())


@pytest.mark.parametrize(
    "command, option",
    [
        pytest.param(command, option, id=f"{command} {option.opts[0]}")
        for command, option in OPTIONS
        if is_number(option) or isinstance(option.type, click.Choice) or option.name in OTHERS
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_done(command, option, said):
    for value in wrong_values(option):
        status, error = said(command, *COMMANDS[command], f"{option.opts[0]}={value}")
        assert status == 2 and option.opts[0] in error, (value, error)


@pytest.mark.parametrize("command", ["info", "rollout", "plot", "render", "view"])
def test_what_is_no_model_and_no_run_is_refused(command, said):
    for value in (*NOT_A_FILE, *FILES):
        status, _ = said(command, *COMMANDS[command][1:], "--", value)
        assert status in (1, 2), value


@pytest.mark.parametrize(
    "command, option",
    [
        pytest.param(command, option, id=f"{command} {option.opts[0]}")
        for command, option in OPTIONS
        if isinstance(option.type, click.Path) and option.name in ("out", "html")
    ],
)
def test_a_name_that_no_file_is_written_under_is_refused(command, option, said):
    for value in NOT_TO_WRITE:
        status, error = said(command, *COMMANDS[command], f"{option.opts[0]}={value}")
        assert status == 2 and option.opts[0] in error, (value, error)


@pytest.mark.parametrize("command", WRITTEN)
def test_a_folder_in_which_nothing_can_be_written_is_told_first(command, said, monkeypatch):
    arguments, option, suffix = WRITTEN[command]
    monkeypatch.setattr(cli, "_simulate", None)  # not reached
    for value in ("none/x", "text.txt/x", "/proc/none/x", "n" * 5000, "folder"):
        status, _ = said(command, *arguments, option, value + suffix)
        assert status in (1, 2), value


@pytest.mark.parametrize("command", ["render", "view"])
def test_a_folder_of_meshes_that_is_none_is_refused(command, said):
    for value in ("", "none", "text.txt", "\x1b[31m", "n" * 5000):
        status, error = said(command, *COMMANDS[command], f"--geometry={value}")
        assert status == 2 and "--geometry" in error


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_options_and_arguments_too_many_or_too_few_are_refused(command, said):
    for extra in (["--none"], ["--none=1"], ["-x"], ["--seed"], ["--", "a", "b", "c"]):
        if (command, extra[0]) != ("plot", "--"):
            assert said(command, *COMMANDS[command], *extra)[0] == 2
    if command != "bench":
        assert said(command)[0] == 2


def test_every_option_that_takes_a_value_is_tried():
    tried = (click.types.IntParamType, click.types.FloatParamType, click.Choice, click.Path)
    left = {option.name for _, option in OPTIONS if not isinstance(option.type, tried)}
    assert left - OTHERS.keys() == {"model", "reference"}  # what is no model and no run, likewise


def test_unknown_commands_are_refused(said):
    for name in ("none", "--none", "", "rollout ", "Rollout", "\x1b[31m", "a\nb"):
        assert said(name)[0] == 2
