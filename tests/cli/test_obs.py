"""`jaxosim obs`."""

import re

import pytest

from jaxosim.cli import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main.main(["obs", *arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_every_entry_is_printed(capsys):
    status, out, _ = run(capsys, "Arm2DEnv")
    assert status == 0
    rows = re.findall(r"^ *(\d+) +(\S+) +(\S+) +(-?[\d.e-]+) *$", out, re.MULTILINE)
    assert [int(index) for index, *_ in rows] == list(range(16))
    assert rows[2][1:3] == ("r_shoulder/value", "rad") and float(rows[2][3]) == pytest.approx(
        -1.5708, abs=1e-4
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Arm3DEnv"], "is not one of 'Arm2DEnv'"),
        (["Arm2DEnv", "--difficulty", "1"], "Arm2DEnv has no option difficulty"),
        (["ProstheticsEnv", "--difficulty", "3"], "difficulty: expected one of (0, 1)"),
    ],
)
def test_what_does_not_exist_is_refused(capsys, arguments, words):
    status, _, err = run(capsys, *arguments)
    assert status == 2 and words in err and "Traceback" not in err
