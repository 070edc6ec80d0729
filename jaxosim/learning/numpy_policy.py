"""A policy: from observation to action, in NumPy or JAX, whichever the observation is of.

This module imports no JAX, so that a policy can be played where there is none, such as beside
OpenSim. `jaxosim.learning.policy` makes the same class a pytree.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np

from jaxosim.errors import TableFormatError
from jaxosim.host.archive import Archive, write_archive

FOLDER = pathlib.Path(__file__).with_name("policies")
_LARGEST_INPUT = 5.0  # of a normalized entry; as in OpenAI Baselines' VecNormalize, where it is 10
_EPSILON = 1e-5  # of layer normalization, as in PyTorch and Flax
_OFFSET = 0.01  # of the logits of the left leg; those of the right one have the opposite
_ARRAYS = ("mean", "deviation", "low", "high")
_MIRROR = ("entry", "sign", "action")
_TEXTS = ("observation_names", "action_names", "bias", "metadata")

Layers = tuple[tuple[Any, Any], ...]
"""Weight `[input, output]` and bias `[output]` of each layer, from input to output."""


def network(layers: Layers, x: Any) -> Any:
    """A multilayer perceptron: SiLU of layer-normalized hidden layers, a linear last layer.

    Layer normalization (Ba et al. 2016, arXiv 1607.06450) is without learned gain and offset.

    Args:
      layers: its weights.
      x: `[..., input]`.

    Returns:
      `[..., output]`.
    """
    xp = x.__array_namespace__()
    for weight, bias in layers[:-1]:
        x = _affine(x, weight, bias)
        x = x - xp.mean(x, axis=-1, keepdims=True)
        x = x / xp.sqrt(xp.mean(x * x, axis=-1, keepdims=True) + _EPSILON)
        x = x * sigmoid(x)
    return _affine(x, *layers[-1])


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    return x @ weight + bias.reshape((1,) * (x.ndim - 1) + bias.shape)


def sigmoid(x: Any) -> Any:
    """The logistic function, by a tangent that does not overflow."""
    return 0.5 + 0.5 * x.__array_namespace__().tanh(0.5 * x)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Mirror:
    """Reflection of a symmetric model in its sagittal plane.

    Attributes:
      entry: `[entry]` for each entry of the observation its place on the other side.
      sign: `[entry]` −1 where a reflection changes the sign.
      action: `[action]` places of each action among those of the network's leg, then of the other.
    """

    entry: Any
    sign: Any
    action: Any

    def __call__(self, x: Any) -> Any:
        """The reflected observation, `[..., entry]`."""
        return x[..., self.entry] * self.sign.reshape((1,) * (x.ndim - 1) + self.sign.shape)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Policy:
    """A deterministic policy.

    The action is low + (high − low) · sigmoid(logits + bias), where the network computes the logits
    from the normalized observation. With a mirror the network computes the logits of one leg, and
    those of the other from the reflected observation, so that the policy is equivariant, but for a
    small opposite offset of the legs' logits, by which they part where they are in the same pose.

    Attributes:
      layers: weights of the network.
      mean: `[entry]` of the observation's entries, in their units.
      deviation: `[entry]` standard deviations.
      low: `[action]` (1) smallest actions.
      high: `[action]` (1) largest actions.
      mirror: of a symmetric model; None for one network for all actions.
      observation_names: names of the observation's entries.
      action_names: names of the action's entries.
      bias: (1) added to the logits.
      metadata: JSON; what the policy was trained with and how it scored.
    """

    layers: Layers
    mean: Any
    deviation: Any
    low: Any
    high: Any
    mirror: Mirror | None = None
    observation_names: tuple[str, ...]
    action_names: tuple[str, ...]
    bias: float = 0.0
    metadata: str = "{}"

    def __call__(self, observation: Any) -> Any:
        """The action `[..., action]` (1) for an observation `[..., entry]`."""
        return self.action(self.logits(self.normalized(observation)))

    def normalized(self, observation: Any) -> Any:
        """The observation in standard deviations from the mean, clipped to ±5."""
        leading = (1,) * (observation.ndim - 1)
        mean, deviation = (v.reshape(leading + v.shape) for v in (self.mean, self.deviation))
        x = (observation - mean) / deviation
        return x.__array_namespace__().clip(x, -_LARGEST_INPUT, _LARGEST_INPUT)

    def logits(self, x: Any) -> Any:
        """The network's output `[..., action]` for a normalized observation `[..., entry]`."""
        if self.mirror is None:
            return network(self.layers, x)
        left, right = (network(self.layers, side) for side in (x, self.mirror(x)))
        # Without the offset both legs would do the same for ever from a symmetric state, such as
        # the one in which osim-rl's episodes begin.
        sides = [left + _OFFSET, right - _OFFSET]
        return x.__array_namespace__().concatenate(sides, axis=-1)[..., self.mirror.action]

    def action(self, logits: Any) -> Any:
        """The action `[..., action]` (1) of logits."""
        leading = (1,) * (logits.ndim - 1)
        low, high = (v.reshape(leading + v.shape) for v in (self.low, self.high))
        return low + (high - low) * sigmoid(logits + self.bias)

    @property
    def about(self) -> dict[str, Any]:
        """The metadata as a dictionary."""
        return json.loads(self.metadata)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the policy as `.npz`; a file that is there is replaced when all is written.

        Raises:
          OSError: the file cannot be written.
        """
        arrays = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        for i, (weight, bias) in enumerate(self.layers):
            arrays[f"weight_{i}"], arrays[f"bias_{i}"] = np.asarray(weight), np.asarray(bias)
        if self.mirror is not None:
            arrays |= {f"mirror_{n}": np.asarray(getattr(self.mirror, n)) for n in _MIRROR}
        text = json.dumps({name: getattr(self, name) for name in _TEXTS})
        write_archive(path, {**arrays, "description": np.array(text)})


def load_numpy_policy(source: str | os.PathLike[str]) -> Policy:
    """Read a policy, its arrays as NumPy's.

    Args:
      source: a file that `Policy.save` wrote, or the name of a policy in the package.

    Raises:
      FileNotFoundError: there is neither such a file nor such a name; the message lists the names.
      TableFormatError: the file is no policy.
    """
    path = pathlib.Path(source)
    if not path.exists():
        named = FOLDER / f"{source}.npz"
        if not named.is_file():
            raise FileNotFoundError(
                f"no policy {os.fspath(source)!r}: expected a file, or one of "
                f"{', '.join(policy_names()) or 'none in this package'}"
            )
        path = named
    with Archive(path) as archive:
        arrays = {name: archive.read(name) for name in archive.names}
    return _policy_of(arrays, os.fspath(path))


def policy_names() -> tuple[str, ...]:
    """Names of the policies in the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.npz")))


def _policy_of(arrays: dict[str, np.ndarray], path: str) -> Policy:
    """The policy of a file's arrays.

    Raises:
      TableFormatError: they are not those of a policy.
    """
    try:
        texts = json.loads(str(arrays["description"]))
        count = sum(name.startswith("weight_") for name in arrays)
        layers = tuple((arrays[f"weight_{i}"], arrays[f"bias_{i}"]) for i in range(count))
        mirror = None
        if "mirror_entry" in arrays:
            mirror = Mirror(**{name: arrays[f"mirror_{name}"] for name in _MIRROR})
        names = {name: tuple(texts[name]) for name in ("observation_names", "action_names")}
        policy = Policy(
            layers=layers,
            mirror=mirror,
            **{name: arrays[name] for name in _ARRAYS},
            **names,
            bias=float(texts["bias"]),
            metadata=texts["metadata"],
        )
        outputs = policy(np.zeros(len(policy.observation_names), policy.mean.dtype))
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise TableFormatError(f"{path}: expected a policy of jaxosim: {error}") from error
    if outputs.shape != (len(policy.action_names),):
        raise TableFormatError(
            f"{path}: expected a policy of {len(policy.action_names)} actions, "
            f"its network has {outputs.shape}"
        )
    return policy
