#!/bin/sh
# Are jaxosim's kernels right on this GPU, and how fast are they beside XLA's? See check.py.
#   benchmarks/gpu/check.sh [--minutes 8] [--wheels DIR] [--out FILE] [--device cpu --quick]
cd "$(dirname "$0")/../.." || exit 1
exec "${PYTHON:-python3}" benchmarks/gpu/check.py "$@"
