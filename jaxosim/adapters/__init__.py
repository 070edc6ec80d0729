"""Environments for other libraries: Gymnasium, gymnax, Brax; a package for each extra."""
