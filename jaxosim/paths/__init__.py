"""Paths of muscles and other path actuators: OpenSim GeometryPath and its points."""
