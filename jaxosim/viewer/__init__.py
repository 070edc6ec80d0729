"""Looking at motion: one scene description, and what draws it (pictures, pages, plots, server).

`scene.py` turns a model into shapes and a state into their places, with JAX and NumPy alone. What
needs a library imports it when it is called, and says which extra brings it.
"""
