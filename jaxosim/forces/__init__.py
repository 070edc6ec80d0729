"""Forces other than muscles, one module for each OpenSim class."""
