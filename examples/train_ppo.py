"""Train a policy with PPO, watch it learn, stop and resume, and see what it has learned.

    pip install 'jaxosim[rejax]'
    python examples/train_ppo.py L2RunEnv --minutes 15 --out runs/l2run
    python examples/train_ppo.py ProstheticsEnv --option difficulty 0 --out runs/prosthetics

PPO is rejax's; acting and learning are one compiled call. The folder then holds `settings.json`,
`checkpoint.npz` (all that training depends on), `curve.csv`, `curve.png`, `evaluation.json`, and
`episode.sto`, one episode of the trained policy, for `jaxosim render`.
"""

import dataclasses
import functools
import json
import os
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import click
import jax
import jax.numpy as jnp
import numpy as np
import rich.console
import rich.progress
import rich.table
from jax.sharding import NamedSharding, PartitionSpec

import jaxosim
from jaxosim import sto
from jaxosim.host.files import replacing
from jaxosim.pytree import tree_where

try:
    import rejax
    from gymnax.environments import spaces

    from jaxosim.adapters.gymnax import LegacyGymnaxEnv
except ImportError as error:
    raise SystemExit(f"{error.name} is missing: pip install 'jaxosim[rejax]'") from error

console = rich.console.Console(highlight=False)
MINIBATCHES = 8


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a run is made with, and resumed with."""

    env: str
    options: dict[str, Any]  # of `jaxosim.make`
    seed: int
    worlds: int
    unroll: int  # decisions in every world between two updates
    action_repeat: int  # control steps of 0.01 s per decision
    learning_rate: float


class Face(LegacyGymnaxEnv):
    """The task as rejax sees it: real-valued actions, and a tally of the finished episodes.

    The state is that of the task and the tally, `[episodes, sum of returns, sum of lengths]`.
    """

    def reset(self, key: jax.Array, params: Any = None) -> Any:
        """Begin an episode with an empty tally."""
        obs, es = super().reset(key, params)
        return obs, (es, jnp.zeros(3))

    def step(self, key: jax.Array, state: Any, action: jax.Array, params: Any = None) -> Any:
        """One decision; a finished episode enters the tally."""
        obs, es, reward, done, info = super().step(key, state[0], controls_of(action), params)
        episode = jnp.stack([1.0, es.info["final_return"], es.info["final_length"]])
        return obs, (es, state[1] + done * episode), reward, done, info

    def action_space(self, params: Any = None) -> spaces.Box:
        """Everything: the task itself clips excitations to [0, 1]."""
        return spaces.Box(-jnp.inf, jnp.inf, (self.num_actions,))


def controls_of(action: jax.Array) -> jax.Array:
    """Excitations (1) for the policy's actions, whose mean is 0 and deviation 1 at first.

    Low excitations are the better start: muscles that all pull at once stiffen the body.
    """
    return 0.25 + 0.25 * action


class SpreadPPO(rejax.PPO):
    """rejax's PPO with the worlds spread over the devices, on a CPU its cores."""

    def init_state(self, rng: jax.Array) -> Any:
        """rejax's, whose reward statistics are integers at first and real numbers later."""
        start = super().init_state(rng)
        real = jax.tree.map(lambda x: jnp.asarray(x, float), start.rew_rms_state)
        return start.replace(rew_rms_state=real)

    def along(self, *axes: str | None) -> NamedSharding:
        """For arrays whose axes called "world" are spread, and which else are whole everywhere."""
        auto = (jax.sharding.AxisType.Auto,)
        mesh = jax.make_mesh((jax.device_count(),), ("world",), axis_types=auto)
        return NamedSharding(mesh, PartitionSpec(*axes))

    @property
    def vmap_step(self) -> Callable[..., Any]:
        """Every device steps its own worlds, and waits for no other."""
        spread, mesh = PartitionSpec("world"), self.along().mesh
        places = {"in_specs": (*[spread] * 3, PartitionSpec()), "out_specs": spread}
        return jax.shard_map(super().vmap_step, mesh=mesh, **places, check_vma=False)

    def shuffle_and_split(self, data: Any, rng: jax.Array) -> Any:
        """Every device learns from its share of each minibatch, `[minibatch, sample, ...]`."""
        minibatches = super().shuffle_and_split(data, rng)
        return jax.lax.with_sharding_constraint(minibatches, self.along(None, "world"))

    def placement(self, train_state: Any) -> Any:
        """How the parts of a train state lie on the devices, given one or its shapes."""
        spread = ("env_state", "last_obs", "last_done")
        names = (field.name for field in dataclasses.fields(train_state))
        lies = {name: self.along(*["world"] * (name in spread)) for name in names}
        return train_state.replace(**lies)


def make_algorithm(settings: Settings) -> SpreadPPO:
    """PPO on the task; what is no setting of the script is chosen here.

    Raises:
      ValueError, TypeError: there is no such task or option; the message lists them.
    """
    options = {"options": jaxosim.Options.fast(), **settings.options}
    env = Face(settings.env, action_repeat=settings.action_repeat, **options)
    if env.functional.observation != "vector":
        raise ValueError("observation: expected 'vector', which is what the networks take")
    return SpreadPPO.create(
        env=env,
        num_envs=settings.worlds,
        num_steps=settings.unroll,
        num_minibatches=MINIBATCHES,
        num_epochs=4,
        learning_rate=settings.learning_rate,
        gamma=0.99,
        ent_coef=0.0,
        max_grad_norm=0.5,
        normalize_observations=True,
        normalize_rewards=True,
        agent_kwargs={"hidden_layer_sizes": (128, 128), "activation": "tanh"},
    )


class Policy(NamedTuple):
    """What of a train state decides which action is taken."""

    actor_ts: Any  # the network; its noise does not depend on what it sees
    obs_rms_state: Any  # mean and variance of the observations so far

    @classmethod
    def of(cls, train_state: Any) -> "Policy":
        """A copy on the host: training overwrites the state, and spreads it over the devices."""
        return jax.device_get(cls(train_state.actor_ts, train_state.obs_rms_state))

    def without_noise(self) -> "Policy":
        """The policy that takes the mean action."""
        weights = {**self.actor_ts.params["params"]}
        weights["action_log_std"] = jnp.full_like(weights["action_log_std"], -jnp.inf)
        return self._replace(actor_ts=self.actor_ts.replace(params={"params": weights}))


class Run:
    """A run in its folder: what has been learned so far, and how.

    Attributes:
      train_state: rejax's: networks, optimizers, normalization, worlds, random key.
      updates: done so far.
      seconds: that they took, compiling included.
      curve: a row for every update.
      untrained: the policy of the beginning.
    """

    def __init__(self, settings: Settings, folder: pathlib.Path, algorithm: SpreadPPO) -> None:
        """At the beginning; compiles the first reset."""
        self.settings, self.folder, self.algorithm = settings, folder, algorithm
        self.updates, self.seconds, self.curve = 0, 0.0, []
        key = jax.random.key(settings.seed)
        start, step = algorithm.init_state, algorithm.train_iteration
        place = algorithm.placement(jax.eval_shape(start, key))
        self.train_state = jax.jit(start, out_shardings=place)(key)
        self.untrained = Policy.of(self.train_state)
        self._update = jax.jit(step, in_shardings=(place,), out_shardings=place, donate_argnums=0)

    def update(self) -> None:
        """Let the worlds run on, learn from it, and add a row to the curve.

        Raises:
          click.ClickException: the policy is no longer finite.
        """
        begun, before = time.perf_counter(), self._tally()
        self.train_state = self._update(self.train_state)
        episodes, returns, lengths = (float(x) for x in self._tally() - before)
        weights = self.train_state.actor_ts.params["params"]
        noise = float(jnp.exp(weights["action_log_std"]).mean())
        if not np.isfinite(noise):
            raise click.ClickException("training diverged: try a smaller --learning-rate")
        seconds, settings = time.perf_counter() - begun, self.settings
        steps = settings.worlds * settings.unroll * settings.action_repeat  # of all worlds
        self.updates += 1
        self.seconds += seconds
        row = {
            "update": self.updates,
            "seconds": self.seconds,
            "steps": self.updates * steps,
            "steps_per_second": steps / seconds,
            "episodes": episodes,
            "return": returns / episodes if episodes else np.nan,
            "length": lengths / episodes if episodes else np.nan,
            "noise": noise,
        }
        self.curve.append(row)

    def line(self) -> str:
        """The latest row of the curve, to print."""
        row = self.curve[-1]
        steps = f"{row['steps'] / 1e6:.2f} M steps, {row['steps_per_second']:.0f}/s"
        return f"{steps}; return {row['return']:.2f}, length {row['length']:.0f}"

    def _tally(self) -> np.ndarray:
        """Finished episodes since the beginning, sum of their returns, sum of their lengths."""
        return np.sum(np.asarray(self.train_state.env_state[1], np.float64), axis=0)

    def save(self) -> None:
        """Write curve and checkpoint, each in one piece: what a crash leaves can be resumed."""
        with replacing(self.folder / "settings.json") as part:
            part.write_text(json.dumps(dataclasses.asdict(self.settings)))
        rows, names = [list(row.values()) for row in self.curve], ",".join(self.curve[0])
        with replacing(self.folder / "curve.csv") as part:
            np.savetxt(part, rows, "%.10g", delimiter=",", header=names, comments="")
        jaxosim.save_state(self.folder / "checkpoint.npz", self._stored())

    def load(self) -> None:
        """Go on where `save` was last called.

        Raises:
          jaxosim.ModelMismatchError: what is there was not written by these settings.
        """
        stored = jaxosim.load_state(self.folder / "checkpoint.npz", self._stored())
        vars(self).update(stored)
        with (self.folder / "curve.csv").open() as file:
            names = file.readline().strip().split(",")
            rows = np.loadtxt(file, delimiter=",", ndmin=2, max_rows=self.updates).tolist()
        self.curve = [dict(zip(names, row, strict=True)) for row in rows]

    def _stored(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("train_state", "updates", "seconds")}


def train(run: Run, minutes: float, updates: int | None, every: int) -> None:
    """Update until either limit is reached; a checkpoint and a printed line `every` so many."""
    left = rich.progress.TimeRemainingColumn()
    columns = (rich.progress.BarColumn(20), "{task.description}", left)
    with rich.progress.Progress(*columns, console=console) as bar:
        task = bar.add_task("compiling", total=1.0)
        while (done := _share(run, minutes, updates)) < 1.0:
            bar.update(task, completed=done)
            run.update()
            bar.update(task, description=run.line())
            if run.updates % every == 0:
                run.save()
                console.print(run.line())
    run.save()


def _share(run: Run, minutes: float, updates: int | None) -> float:
    """How much of the training is done, of 1."""
    return max(run.seconds / (60 * minutes), run.updates / updates if updates else 0.0)


def evaluate(run: Run, episodes: int) -> None:
    """Play episodes with the policies before and after training, from the same seeds; report."""
    env, trained = run.algorithm.env.functional, Policy.of(run.train_state)
    play = jax.jit(functools.partial(play_episodes, run.algorithm, episodes))
    policies = {"untrained": run.untrained, "trained": trained}
    policies["trained, no noise"] = trained.without_noise()
    table = rich.table.Table("policy", "return", "± s.d.", "length", title=f"{episodes} episodes")
    report = {}
    for name, policy in policies.items():
        returns, lengths, states = jax.device_get(play(policy, jax.random.key(1)))
        report[name] = {"return": returns.tolist(), "length": lengths.tolist()}
        numbers = returns.mean(), returns.std(), lengths.mean()
        table.add_row(name, *(f"{number:.2f}" for number in numbers))
    console.print(table)
    with replacing(run.folder / "evaluation.json") as part:
        part.write_text(json.dumps(report))
    rows = 1 + -(-int(lengths[0]) // env.action_repeat)  # after its end a world stands still
    states = jax.tree.map(lambda x: x[:rows], states)
    sto.write_states(run.folder / "episode.sto", env.model, states)


def play_episodes(algorithm: SpreadPPO, count: int, policy: Policy, key: jax.Array) -> Any:
    """Play one episode in each of so many worlds.

    Returns:
      Return and length (control steps) of each, `[world]`, and the states of the first world before
      each decision and at the end, `[decision + 1, ...]`.
    """
    env, act = algorithm.env.functional, algorithm.make_act(policy)

    def decide(es: jaxosim.EnvState, key: jax.Array) -> Any:
        actions = jax.vmap(act)(es.obs, jax.random.split(key, count))
        after = jax.vmap(env.step)(es, controls_of(actions))
        es = tree_where(es.done, es, after)
        return es, jax.tree.map(lambda x: x[0], es.state)

    reset_key, act_key = jax.random.split(key)
    start = jax.vmap(env.reset)(jax.random.split(reset_key, count))
    keys = jax.random.split(act_key, -(-env.time_limit // env.action_repeat))
    last, states = jax.lax.scan(decide, start, keys)
    states = jax.tree.map(lambda a, b: jnp.concatenate([a[:1], b]), start.state, states)
    return last.episode_return, last.step_count, states


def draw(run: Run) -> None:
    """Write the learning curve as a picture, if matplotlib is there."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return console.print("no curve.png: pip install 'jaxosim[plot]'")
    figure = Figure(figsize=(8, 3), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("return", "length"), strict=True):
        axes.plot([row["steps"] for row in run.curve], [row[name] for row in run.curve])
        axes.set(xlabel="control steps", ylabel=f"{name} of an episode")
    with replacing(run.folder / "curve.png") as part:
        figure.savefig(part, dpi=120)


def open_run(settings: Settings, folder: pathlib.Path, resume: bool) -> Run:
    """A new run, or the one in the folder.

    Raises:
      click.UsageError: the folder holds another run than was meant, or the settings are wrong.
    """
    written, own = folder / "settings.json", dataclasses.asdict(settings)
    former = json.loads(written.read_text()) if written.exists() else "none"
    if resume and former != own:
        raise click.UsageError(f"to resume in {folder}: expected a run with {own}, got {former}")
    if not resume and written.exists():
        raise click.UsageError(f"{folder} holds a run: add --resume, or name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        algorithm = make_algorithm(settings)
    except (OSError, TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    run = Run(settings, folder, algorithm)
    if resume:
        run.load()
    return run


class Submission:
    """The policy of a run, for `jaxosim submit examples/train_ppo.py:Submission FOLDER`."""

    def __init__(self, folder: str) -> None:
        """Load the run in the folder; the mean action is taken."""
        path = pathlib.Path(folder)
        settings = Settings(**json.loads((path / "settings.json").read_text()))
        run = Run(settings, path, make_algorithm(settings))
        run.load()
        policy = Policy.of(run.train_state).without_noise()
        self._act = jax.jit(run.algorithm.make_act(policy))
        self._repeat = settings.action_repeat
        self.reset()

    def reset(self) -> None:
        """Another episode begins."""
        self._step = 0

    def __call__(self, observation: list[float]) -> np.ndarray:
        """Excitations for the next control step; a decision holds for several."""
        if self._step % self._repeat == 0:
            action = self._act(jnp.asarray(observation, float), jax.random.key(0))
            self._held = np.asarray(controls_of(action))
        self._step += 1
        return self._held


def value_of(text: str) -> Any:
    """Numbers, true and false as in JSON; everything else is a word."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


_count = click.IntRange(min=1)
_cores = 1 << ((os.cpu_count() or 1).bit_length() - 1)  # a power of two, which divides the worlds
_above_zero = click.FloatRange(min=0, min_open=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("env")
@click.option("--out", type=click.Path(file_okay=False, path_type=pathlib.Path), required=True)
@click.option("--option", "options", type=(str, value_of), multiple=True, metavar="NAME VALUE")
@click.option("--minutes", type=_above_zero, default=15.0, help="Of training, from its beginning.")
@click.option("--updates", type=_count, help="Stop after so many, if that is earlier.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@click.option("--checkpoint-every", type=_count, default=10, help="Updates.")
@click.option("--episodes", type=_count, default=64, help="Of the evaluation.")
@click.option("--cores", type=_count, default=_cores, help="That take part, if on a CPU.")
@click.option("--seed", type=int, default=0)
@click.option("--worlds", type=_count, default=256)
@click.option("--unroll", type=_count, default=32, help="Decisions between updates.")
@click.option("--action-repeat", type=_count, default=5, help="Control steps per decision.")
@click.option("--learning-rate", type=_above_zero, default=3e-4)
def main(out, minutes, updates, resume, checkpoint_every, episodes, cores, **settings) -> None:
    """Train a policy for the task ENV, such as L2RunEnv, with PPO; --option is one of the task."""
    jaxosim.use_compilation_cache()
    jax.config.update("jax_num_cpu_devices", cores)
    share = MINIBATCHES * jax.device_count()
    if settings["worlds"] % share:
        raise click.UsageError(f"--worlds: expected a multiple of {share}, to share them out")
    settings["options"] = dict(settings["options"])
    run = open_run(Settings(**settings), out, resume)
    train(run, minutes, updates, checkpoint_every)
    draw(run)
    evaluate(run, episodes)


if __name__ == "__main__":
    main()
