"""A curve as an SVG drawing within a page."""

from collections.abc import Sequence

_WIDTH, _HEIGHT, _LEFT, _PAD = 800.0, 140.0, 70.0, 10.0


def curve(values: Sequence[float]) -> str:
    """Rewards over steps, with the smallest and largest value and the number of steps.

    Args:
      values: `[step]`, finite.
    """
    if not values:
        return "<p>No steps.</p>"
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    across = (_WIDTH - _LEFT - _PAD) / max(len(values) - 1, 1)
    down = (_HEIGHT - 3.0 * _PAD) / span

    def height(value: float) -> float:
        return _PAD + (high - value) * down

    points = " ".join(f"{_LEFT + i * across:.1f},{height(v):.1f}" for i, v in enumerate(values))
    labels = "".join(
        f'<text x="{_LEFT - 8}" y="{height(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        for value in ([low, high] if high > low else [low])
    )
    bottom = height(low)
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" font-size="13" '
        f'fill="currentColor" aria-label="reward of each of {len(values)} steps">'
        f'<path d="M{_LEFT},{_PAD}V{bottom:.1f}H{_WIDTH - _PAD}" stroke="currentColor" '
        f'fill="none" opacity=".4"/>'
        f'<polyline points="{points}" fill="none" stroke="#2b78c5" stroke-width="2"/>{labels}'
        f'<text x="{_WIDTH - _PAD}" y="{_HEIGHT - 4}" text-anchor="end">'
        f"reward by step, {len(values)} steps</text></svg>"
    )
