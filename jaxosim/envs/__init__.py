"""Tasks: pure functions of a state, an action and a key, for one world; `batch.py` makes many."""
