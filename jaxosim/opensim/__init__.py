"""Models in a live OpenSim 4.6, with NumPy arrays in and out. Needs the extra `opensim`."""
