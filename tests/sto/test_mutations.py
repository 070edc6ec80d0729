"""Tables from strangers: whatever was done to one, reading it ends in our own errors or in numbers.

Bytes, words and lines of good tables are changed by chance, from a fixed seed.
"""

import random
import warnings

import numpy as np
import pytest

import jaxosim
from jaxosim import sto
from jaxosim.errors import ModelMismatchError, TableFormatError, TableFormatWarning
from jaxosim.viewer.motion import load_motion

COUNT = 250  # of each table
WORDS = [
    *"\t = 0 -1 nan -nan(ind) 1.#QNAN inf 1e999 1e-999 1_0 0x1p3 1,5 1e 1.5x +-1".split(" "),
    *"\u0661 \u00b2 \u00a0 \u2028 \x00 \x0b \x1c \x85 \ud7ff # time Time endheader".split(" "),
    *"EndHeader endheader=1 inDegrees inDegrees=no version version= version=1 nRows=1e9".split(),
    *"nRows=-1 nColumns=\u00b2 datarows datacolumns=0 DataType=Vec3 DataType name= range".split(),
    *("9" * 5000, "nRows=" + "9" * 5000, "a" * 5000, "", "\n", "\r", "\r\n", "\t\t"),
    "Angles are in degrees.",
]


def mutated(data, rng):
    """A table after one to four changes."""
    for _ in range(rng.randint(1, 4)):
        kind = rng.randrange(6)
        at = rng.randrange(len(data) + 1)
        if kind == 0:  # other bytes
            data = data[:at] + rng.randbytes(rng.randint(1, 3)) + data[at + rng.randint(0, 3) :]
        elif kind == 1:  # a piece is gone, often all from some place on
            data = data[:at] + (data[at + rng.randint(1, 200) :] if rng.random() < 0.7 else b"")
        elif kind == 2:  # a word of another sort
            word = rng.choice(WORDS).encode()
            words = data.split(b"\t")
            words[rng.randrange(len(words))] = word
            data = b"\t".join(words)
        elif kind == 3:  # one of the header
            lines = data.split(b"\n")
            word = rng.choice(WORDS).encode()
            lines.insert(rng.randrange(min(len(lines), 9)), word)
            data = b"\n".join(lines)
        else:  # a line twice, or lines in other order
            lines = data.split(b"\n")
            one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
            if kind == 4:
                lines.insert(other, lines[one])
            else:
                lines[one], lines[other] = lines[other], lines[one]
            data = b"\n".join(lines)
    return data


@pytest.fixture(scope="module")
def arm():
    return jaxosim.load_model("arm2dof6musc")


def write(kind, path, model):
    time = np.arange(4) * 0.25
    rng = np.random.default_rng(5)
    coordinates, muscles = len(model.coordinate_names), len(model.muscle_names)
    fields = {"q": coordinates, "u": coordinates, "activation": muscles, "fiber_length": muscles}
    fields |= {"normalized_tendon_force": 0, "force_states": 0}
    if kind == "states":
        values = {name: rng.uniform(0.1, 1, (4, size)) for name, size in fields.items()}
        sto.write_states(path, model, jaxosim.State(time=time, **values))
    elif kind == "controls":
        sto.write_controls(path, model, time, rng.uniform(0, 1, (4, muscles)))
    else:
        sto.write_coordinates(path, model, time, rng.uniform(0, 1, (4, coordinates)))


@pytest.mark.parametrize("kind", ["states", "controls", "coordinates"])
def test_no_mutation_of_a_table_raises_another_error(arm, tmp_path, kind, count=COUNT):
    model, params = arm
    path, rng = tmp_path / "mutated.mot", random.Random(kind)
    write(kind, path, model)
    original = path.read_bytes()
    readers = (
        lambda: sto.read_states(path, model, params).q,
        lambda: sto.read_coordinates(path, model, params)[1],
        lambda: sto.read_controls(path, model)[1],
        lambda: load_motion(path, "arm2dof6musc").states.q,
    )
    refused = 0
    for _ in range(count):
        data = mutated(original, rng)
        path.write_bytes(data)
        for reader in readers:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    warnings.simplefilter("ignore", TableFormatWarning)
                    assert np.all(np.isfinite(reader()))
            except (TableFormatError, ModelMismatchError) as error:
                refused += 1
                assert str(error).startswith(str(path)), data
                assert len(str(error).splitlines()) == 1, data
            except Exception as error:
                raise AssertionError(f"{error!r} of {data!r}") from error
    assert 0 < refused < len(readers) * count
