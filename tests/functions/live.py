"""Live OpenSim functions of an XML text."""

import pathlib
import tempfile


def live_function(opensim, text):
    """The function of a text such as `<Sine …/>`, as OpenSim makes it from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "function.xml"
        path.write_text(
            f'<?xml version="1.0"?><OpenSimDocument Version="40600">{text}</OpenSimDocument>'
        )
        made = opensim.OpenSimObject.makeObjectFromFile(str(path))
    return opensim.Function.safeDownCast(made)


def live_values(opensim, function, x):
    """Value and two derivatives of an OpenSim function."""
    at = opensim.Vector(1, float(x))
    orders = []
    for order in (1, 2):
        components = opensim.StdVectorInt()
        for _ in range(order):
            components.append(0)
        orders.append(function.calcDerivative(components, at))
    return [function.calcValue(at), *orders]
