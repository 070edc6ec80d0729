"""OpenSim's tables (`.sto`, `.mot`): states, controls and coordinates, in and out.

Host side, NumPy only. `table.py` knows the format of the file, `motion.py` which column belongs to
what in a model.
"""

from jaxosim.sto.motion import (
    coordinates_in,
    read_controls,
    read_coordinates,
    read_motion,
    read_states,
    write_controls,
    write_coordinates,
    write_states,
)
from jaxosim.sto.table import Table, read_table, write_table

__all__ = [
    "Table",
    "coordinates_in",
    "read_controls",
    "read_coordinates",
    "read_motion",
    "read_states",
    "read_table",
    "write_controls",
    "write_coordinates",
    "write_states",
    "write_table",
]
