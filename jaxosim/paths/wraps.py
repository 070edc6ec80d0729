"""All classes of wrap objects, one module for each.

Every module has the same names:

- `FIELD` of PathParams, the `AXIS` of its rows, and the XML `TAG`;
- `Spec` and `read`: what the file says;
- `Params` and `build`: its numbers;
- `wrap_line`: what becomes of one straight piece at one such object;
- `on_surface`: points near an object, moved onto it, for pictures of paths.
"""

from types import ModuleType

from jaxosim.paths import wrap_cylinder, wrap_ellipsoid, wrap_sphere, wrap_torus

WRAPS: tuple[ModuleType, ...] = (wrap_cylinder, wrap_ellipsoid, wrap_sphere, wrap_torus)
