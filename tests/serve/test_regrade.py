"""`jaxosim regrade`: the stored actions give the score to the bit, and a change is found."""

import shutil
import sqlite3

import pytest

pytest.importorskip("starlette", reason="Starlette is not installed (extra `serve`)")

from jaxosim.cli import main
from jaxosim.osim_rl.http import Client
from tests.serve.running import arm_challenge, serving


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A database with two submissions, of two episodes and of half of one."""
    challenge = arm_challenge(tmp_path_factory.mktemp("arm"))
    with serving(challenge) as (service, port):
        token = service.database.add_account("ann")
        for count in (12, 3):
            client = Client(f"http://127.0.0.1:{port}")
            client.env_create(token, "Arm2DEnv")
            for step in range(count):
                if client.env_step([0.1 * step, 0.5, 0.3, 0.9, 0.0, 1.0])[2]:
                    client.env_reset()
            client.submit()
    return challenge.database


def regrade(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main.main(["regrade", *map(str, arguments)])
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_every_submission_gives_its_score_to_the_bit(capsys, result):
    status, out, _ = regrade(capsys, result)
    assert status == 0
    lines = out.splitlines()
    assert len(lines) == 2 and all(line.endswith(": same") for line in lines)
    status, out, _ = regrade(capsys, result, "--submission", 2)
    assert status == 0 and out.splitlines() == lines[1:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE step SET reward = reward + 1e-12 WHERE episode = 1 AND number = 2", "1, step 2"),
        ("UPDATE submission SET total = total + 1e-9", "the sum"),
        ("UPDATE episode SET seed = 4 WHERE number = 0", "its seed"),
        ("DELETE FROM step WHERE episode = 0 AND number = 5", "episode 1, step 0"),
    ],
)
def test_a_changed_result_is_found(capsys, result, tmp_path, change, words):
    copy = tmp_path / "copy.sqlite"
    shutil.copy(result, copy)
    connection = sqlite3.connect(copy)
    connection.execute(change)
    connection.commit()
    connection.close()
    status, out, _ = regrade(capsys, copy, "--submission", 1)
    assert status == 1 and "DIFFERS" in out and words in out


def test_a_file_that_holds_no_results_is_refused(capsys, tmp_path):
    (tmp_path / "text").write_text("no database", encoding="utf-8")
    status, _, err = regrade(capsys, tmp_path / "text")
    assert status == 1 and "expected a database of results" in err
    status, _, err = regrade(capsys, tmp_path / "missing")
    assert status == 2 and "does not exist" in err
