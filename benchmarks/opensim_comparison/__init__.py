"""Speed and error of jaxosim beside a live OpenSim, for `benchmarks/against_opensim.py`."""
