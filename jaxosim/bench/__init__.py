"""Speed and error beside a live OpenSim: what `jaxosim bench` and `benchmarks/` measure with."""
