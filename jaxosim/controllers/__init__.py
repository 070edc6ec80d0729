"""Controllers, one module for each OpenSim class.

Every module has the same names:

- `FIELD` of Model and Params, and the XML `TAGS`;
- `Spec` and `read`: what the file says;
- `Structure`, `Params` and `build`: its arrays, and `names`: who owns the rows of their axes;
- `evaluate`: what the controllers add to the controls of their actuators;
- `describe`: for `jaxosim info`;
- `sizes`: lengths of the axes that `names` does not have, if there are any;
- `is_enabled`: where the property `enabled` does not say it.

What all share is in `controller.py`; `dynamics/controls.py` adds their controls up.
"""

from types import ModuleType
from typing import Any

from jaxosim.controllers import (
    control_set_controller,
    prescribed_controller,
    toy_reflex_controller,
)

CONTROLLERS: tuple[ModuleType, ...] = (
    prescribed_controller,
    toy_reflex_controller,
    control_set_controller,
)


def present(model: Any) -> tuple[ModuleType, ...]:
    """The classes of which a model has a controller; nothing is traced for the others."""
    return tuple(one for one in CONTROLLERS if any(one.names(getattr(model, one.FIELD)).values()))
