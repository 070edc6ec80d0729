"""Idempotency keys: those that were added are known, others are not, and each takes eight bytes."""

import tracemalloc

from jaxosim.serve.keys import Keys


def test_a_key_is_known_once_it_was_added():
    keys, names = Keys(), [f"{number:032x}" for number in range(2000)]
    for place, name in enumerate(names):
        assert name not in keys
        keys.add(name)
        assert name in keys and names[place // 2] in keys
    assert all(name in keys for name in names)
    assert not any(name.upper() + "0" in keys for name in names)
    keys.add(names[0])
    assert names[0] in keys and "" not in keys


def test_keys_take_little_memory_however_long_they_are():
    count = 20_000
    tracemalloc.start()
    try:
        keys = Keys()
        for number in range(count):
            keys.add(f"{number:0200x}")
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 10 * count
