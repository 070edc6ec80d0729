"""Visualization of motions: one scene description, and its images, videos, HTML files and server.

`scene.py` turns a model into shapes and a state into their places, with JAX and NumPy alone. What
needs a library imports it when it is called, and says which extra brings it.
"""
