"""A box of numbers: what osim-rl's code asks of a space, without a package for it."""

import numpy as np


class Box:
    """All vectors between two bounds.

    Attributes:
      low: smallest values.
      high: largest values.
      shape: of a vector.
      dtype: of a sample.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        """Hold the bounds.

        Args:
          low: smallest values, −inf where there is no bound.
          high: largest values.
        """
        self.low = np.asarray(low, float)
        self.high = np.asarray(high, float)
        self.shape = self.low.shape
        self.dtype = self.low.dtype
        self._draws = np.random.default_rng()

    def sample(self) -> np.ndarray:
        """A vector, uniform where it is bounded, else normal.

        It is drawn from a generator of its own, so that targets do not depend on it.
        """
        bounded = np.isfinite(self.low) & np.isfinite(self.high)
        low, high = np.where(bounded, self.low, 0.0), np.where(bounded, self.high, 1.0)
        uniform = self._draws.uniform(low, high)
        normal = np.clip(self._draws.normal(size=self.shape), self.low, self.high)
        return np.where(bounded, uniform, normal)

    def contains(self, x: object) -> bool:
        """Whether a vector lies within the bounds."""
        values = np.asarray(x)
        return values.shape == self.shape and bool(
            np.all((values >= self.low) & (values <= self.high))
        )

    def seed(self, seed: int | None = None) -> None:
        """Start the samples anew."""
        self._draws = np.random.default_rng(seed)

    def __repr__(self) -> str:
        """Short: hundreds of bounds are no help."""
        return f"Box{self.shape}"
