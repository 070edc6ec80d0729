"""What is beyond its bound in a comparison, and beyond what OpenSim's own rounding does there.

Used by `benchmarks/census.py`. Nothing here imports OpenSim with the module.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

from opensim_comparison.motion import CONDITION
from opensim_comparison.states import GEOMETRY, RECORDS, Comparison, Quantity, largest


class Misses:
    """Of one comparison; OpenSim is asked about shifted states only where something is beyond."""

    def __init__(self, compared: Comparison, shifts: int, finite_paths: np.ndarray):
        """Take the comparison.

        Args:
          compared: both programs' numbers.
          shifts: number of shifted states for each scatter.
          finite_paths: `[state]` bool, from `scatter.have_finite_paths`.
        """
        self._compared, self._count, self._finite_paths = compared, shifts, finite_paths
        self._shifted: dict[int, list[dict]] = {}
        self._rng = np.random.default_rng(4)

    def phrases(self, quantities: Sequence[Quantity]) -> Iterator[str]:
        """One for each quantity beyond its bound, and for each that OpenSim has no number of.

        An element is beyond where its error is more than OpenSim's scatter of it in that state: the
        largest change in states that are shifted by 1e-15. Elements of which OpenSim says NaN or
        infinity are counted apart. Accelerations are left out in near singular states, they and
        forces where OpenSim has no length of a path, which then does not pull.
        """
        for quantity in quantities:
            found, unknown = [], []
            for key, errors in self._compared.element_errors(quantity).items():
                expected = self._values(self._compared.expected, quantity, key)
                finite = np.isfinite(expected)
                beyond = ~(errors <= quantity.tolerance) & finite
                beyond[~self._compares(quantity)] = False
                for index in map(int, np.flatnonzero(_states_of(beyond))):
                    explained = errors[index] <= self._scatter(quantity, key, index)
                    beyond[index] &= ~(explained & np.isfinite(errors[index]))
                if beyond.any():
                    found.append(largest(key, np.where(beyond, errors, 0.0)))
                if not finite.all():
                    unknown.append(f"{key} in {_states_of(~finite).sum()} states")
            if found:
                worst = max(found, key=lambda error: error.value)
                yield f"{quantity.name} {worst.value:.1e} ({worst.place})"
            if unknown:
                yield f"OpenSim has no {', '.join(unknown)}"
        if not self._finite_paths.all():
            yield f"OpenSim has no length of a path in {(~self._finite_paths).sum()} states"

    def _compares(self, quantity: Quantity) -> np.ndarray:
        """States in which a quantity is compared, `[state]` bool."""
        compared = np.ones(len(self._finite_paths), bool)
        if quantity.within is not None:
            compared &= self._compared.expected["condition"] < CONDITION
        if quantity.name not in GEOMETRY:
            compared &= self._finite_paths
        return compared

    @staticmethod
    def _values(report: dict, quantity: Quantity, key: str) -> np.ndarray:
        return (report["records"] if quantity.name == RECORDS else report)[key]

    def _scatter(self, quantity: Quantity, key: str, index: int) -> np.ndarray:
        """OpenSim's scatter of each element of a part in a state, counted as errors are."""
        center = self._values(self._compared.expected, quantity, key)[index]
        moved = (self._values(report, quantity, key) for report in self._reports(index))
        changes = [self._compared.difference(key, one, center) for one in moved]
        change = np.max(np.stack([np.zeros(center.shape), *changes]), axis=0)
        return np.nan_to_num(change, nan=np.inf) / self._compared.scale(key, center)

    def _reports(self, index: int) -> list[dict]:
        """What OpenSim says at states next to this one, where it does not raise."""
        from jaxosim.opensim.scatter import shifted

        if index not in self._shifted:
            oracle, found = self._compared.oracle, []
            values = {key: value[index] for key, value in self._compared.states.items()}
            for _ in range(self._count):
                with contextlib.suppress(RuntimeError, np.linalg.LinAlgError):
                    found.append(oracle.evaluate(shifted(values, ~oracle.locked, self._rng)))
            self._shifted[index] = found
        return self._shifted[index]


def _states_of(elements: np.ndarray) -> np.ndarray:
    """Whether any element of a state is true, `[state]`."""
    return np.any(elements.reshape(len(elements), -1), axis=1)
