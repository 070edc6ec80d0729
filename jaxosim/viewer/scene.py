"""One description of what is visible, shared by images, videos, HTML files and the web viewer.

A `Scene` holds the shapes that are fixed on bodies, made once. What moves is computed per state
(`Scene.frame`); `glyphs.py` makes muscles and arrows of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxosim.models.catalog import bundled_models, resolve
from jaxosim.models.osim.frames import rotation
from jaxosim.state_variables import default_states
from jaxosim.structure import GROUND
from jaxosim.types import Model, Params, State
from jaxosim.viewer.bones import BONE, Body, bone, torso_bones
from jaxosim.viewer.meshes import find_mesh, read_mesh
from jaxosim.viewer.scene_frame import SceneFrame, scene_frame_function
from jaxosim.viewer.shapes import Mesh, box, ellipsoid, torus, unit_cylinder
from jaxosim.viewer.visuals import VisualSpec, read_visuals

CONTACT_COLOR, MARKER_COLOR = (0.2, 0.75, 0.75), (1.0, 0.4, 0.7)
_MUSCLE_RADIUS = 0.0065  # m, of a muscle of 1000 N
_SHOULDER = np.array([-0.002, 0.372, 0.17])  # m, of the right arm from the lumbar joint


@dataclass(frozen=True, eq=False)
class Shape:
    """Triangles fixed on a body; `role` is bone, contact, marker or wrap."""

    name: str
    body: int  # GROUND for ground
    mesh: Mesh  # in the frame of the body
    color: tuple[float, float, float]
    opacity: float = 1.0
    role: str = "bone"


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn of a model: fixed shapes, muscle radii, where the ground lies."""

    model: Model
    params: Params
    shapes: tuple[Shape, ...]
    muscle_radius: np.ndarray  # [muscle] (m)
    ground_height: float | None  # m; None without contact with the ground
    center: np.ndarray  # [3] (m) of what is seen in the default pose
    extent: np.ndarray  # [3] (m) from end to end
    home: np.ndarray  # [3] (m) origin of the first body in the default pose

    @property
    def size(self) -> float:
        """Greatest extent (m)."""
        return float(np.max(self.extent))

    def travel(self, frame: SceneFrame) -> np.ndarray:
        """How far the first body has gone over the ground, `[3]` (m): what a camera follows."""
        if not len(frame.body_position):
            return np.zeros(3)
        return (np.asarray(frame.body_position[0], float) - self.home) * [1.0, 0.0, 1.0]

    def frame(self, state: State) -> SceneFrame:
        """Where everything is at one state, on the host."""
        dtype = self.params.gravity.dtype
        one = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), state)
        return jax.device_get(scene_frame_function(self.model)(self.params, one))


def build_scene(
    model: Model, params: Params, geometry: str | Path | None = None, bones: bool = True
) -> Scene:
    """The scene of a model.

    Meshes that the model file names are looked for in `geometry`, in the folder `Geometry` beside
    the file, and beside the file itself; a body without any gets a stand-in bone.

    Args:
      model: static structure.
      params: model parameters.
      geometry: a folder with meshes (`.vtp`, `.stl`, `.obj`).
      bones: False for stand-in bones only.

    Raises:
      OsimFormatError: a mesh that was found cannot be read.
    """
    pose = jax.device_get(scene_frame_function(model)(params, default_state(params)))
    specs = _visuals(model) if bones else ()
    shapes = _attached(model, specs, _folders(model, geometry)) if bones else []
    drawn = {shape.body for shape in shapes if shape.role == "bone"}
    for body in range(len(model.body_names)):
        if body not in drawn:
            shapes += _stand_in(model, params, pose, body)
    if GROUND not in drawn:
        shapes += _shoulder_girdle(model, pose)
    shapes += _contact_surfaces(model, params)
    shapes += _markers(model, params)
    strength = np.asarray(params.muscles.max_isometric_force, float)
    radius = _MUSCLE_RADIUS * np.clip(np.sqrt(strength / 1000.0), 0.55, 1.8)
    radius[np.isin(model.muscle_path, model.paths.function_based.path)] = 0.0  # they have no points
    center, extent = _extent(shapes, pose)
    origin = np.asarray(pose.body_position, float)
    return Scene(
        model=model,
        params=params,
        shapes=tuple(shapes),
        muscle_radius=radius,
        ground_height=_ground_height(model, params),
        center=center,
        extent=extent,
        home=origin[0] if len(origin) else np.zeros(3),
    )


def default_state(params: Params) -> State:
    """The default pose at rest; muscles are not equilibrated, which nobody sees."""
    coordinates = params.coordinates
    return State(
        time=jnp.zeros_like(params.gravity[0]),
        q=coordinates.default_value,
        u=jnp.zeros_like(coordinates.default_value),
        **default_states(params),
    )


def _visuals(model: Model) -> tuple[VisualSpec, ...]:
    return read_visuals(model.source) if Path(model.source).is_file() else ()


def _folders(model: Model, geometry: str | Path | None) -> list[Path]:
    folders = [Path(geometry)] if geometry is not None else []
    if model.source and not _is_bundled(model):
        home = Path(model.source).resolve().parent
        folders += [home / "Geometry", home]
    return folders


def _is_bundled(model: Model) -> bool:
    names = bundled_models()
    return any(Path(model.source) == resolve(name) for name in names)


def _attached(model: Model, specs: Sequence[VisualSpec], folders: Sequence[Path]) -> list[Shape]:
    """Shapes of what the model file attaches, as far as its meshes are found."""
    names = {name: index for index, name in enumerate(model.body_names)} | {"ground": GROUND}
    shapes, meshes = [], {}
    for spec in specs:
        if spec.frame.body not in names:
            continue
        if spec.kind != "Mesh":
            mesh = _solid(spec)
        else:
            if spec.file not in meshes:
                path = find_mesh(spec.file, folders)
                meshes[spec.file] = read_mesh(path) if path is not None else None
            if meshes[spec.file] is None:
                continue
            found = meshes[spec.file]
            mesh = Mesh(found.vertices * np.array(spec.scale), found.faces)
        turned = rotation(spec.frame.orientation)
        color = BONE if spec.color == (1.0, 1.0, 1.0) else spec.color
        shapes.append(
            Shape(
                f"wrap/{spec.name}" if spec.name else spec.file or spec.kind,
                names[spec.frame.body],
                mesh.moved(turned, np.array(spec.frame.translation)),
                color,
                spec.opacity,
                "wrap" if spec.name else "bone",
            )
        )
    return shapes


def _solid(spec: VisualSpec) -> Mesh:
    if spec.kind == "Brick":
        return box(np.zeros(3), np.array(spec.scale))
    if spec.kind == "Cylinder":
        x, half_height, z = spec.scale
        upright = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # z onto y
        unit = unit_cylinder(24)
        return Mesh((unit.vertices * [x, z, 2 * half_height]) @ upright.T, unit.faces)
    if spec.kind == "Torus":
        return torus(spec.scale[0], spec.scale[2])
    return ellipsoid(np.zeros(3), np.array(spec.scale))


def _stand_in(model: Model, params: Params, pose: SceneFrame, body: int) -> list[Shape]:
    """The stand-in bone of a body, sized by the joints it carries in the default pose."""
    R, p = pose.body_rotation[body], pose.body_position[body]
    carried = np.flatnonzero(model.bodies.inboard == body)
    contacts = [
        np.asarray(params.contacts.location[g], float)
        for g in np.flatnonzero(model.contacts.geometry_body == body)
    ]
    inertia = np.asarray(params.bodies.inertia[body, :3], float)
    parts = bone(
        Body(
            name=model.body_names[body],
            joints=np.asarray((pose.body_position[carried] - p) @ R, float),
            mass=float(params.bodies.mass[body]),
            mass_center=np.asarray(params.bodies.mass_center[body], float),
            inertia=inertia,
            side=-1.0 if p[2] < 0 else 1.0,
            tip=max(contacts, key=lambda at: at[0]) if contacts else None,
        )
    )
    return [
        Shape(f"{model.body_names[body]}/{number}", body, mesh, color)
        for number, (mesh, color) in enumerate(parts)
    ]


def _shoulder_girdle(model: Model, pose: SceneFrame) -> list[Shape]:
    """A trunk on the ground for an arm that hangs on it, so that the arm can be told for one."""
    arms = [
        index
        for index, name in enumerate(model.body_names)
        if "humerus" in name and model.bodies.inboard[index] == GROUND
    ]
    if not arms:
        return []
    mirror = np.array([1, 1, -1.0 if pose.body_position[arms[0]][2] < 0 else 1.0])
    shift = np.asarray(pose.body_position[arms[0]], float) - _SHOULDER * mirror
    return [Shape("trunk", GROUND, torso_bones(1.0).moved(np.eye(3), shift), BONE)]


def _contact_surfaces(model: Model, params: Params) -> list[Shape]:
    """Spheres and ellipsoids."""
    contacts, shapes = model.contacts, []
    for index, name in enumerate(contacts.geometry_names):
        if contacts.is_half_space[index]:
            continue
        row = contacts.ellipsoid[index]
        x, y, z = np.asarray(params.contacts.orientation[index], float)
        sphere = np.full(3, float(params.contacts.radius[index]))
        mesh = ellipsoid(
            np.asarray(params.contacts.location[index], float),
            sphere if row < 0 else np.asarray(params.contacts.semi_axes[row], float),
            rotation((x, y, z)),
        )
        body = int(contacts.geometry_body[index])
        shapes.append(Shape(f"contact/{name}", body, mesh, CONTACT_COLOR, 0.35, "contact"))
    return shapes


def _markers(model: Model, params: Params) -> list[Shape]:
    return [
        Shape(
            f"marker/{name}",
            int(model.marker_body[index]),
            ellipsoid(np.asarray(params.marker_location[index], float), np.full(3, 0.012)),
            MARKER_COLOR,
            role="marker",
        )
        for index, name in enumerate(model.marker_names)
    ]


def _ground_height(model: Model, params: Params) -> float | None:
    """Height of the first half-space on the ground; None if nothing can touch the ground."""
    contacts = model.contacts
    floors = np.flatnonzero(contacts.is_half_space & (contacts.geometry_body == GROUND))
    return float(params.contacts.location[floors[0], 1]) if len(floors) else None


def _extent(shapes: Sequence[Shape], pose: SceneFrame) -> tuple[np.ndarray, np.ndarray]:
    """Middle and edges of the box around bones and muscles in the default pose."""
    points = [np.zeros((1, 3)) if not shapes else np.asarray(pose.path, float).reshape(-1, 3)]
    points += [placed(shape, pose) for shape in shapes]
    everything = np.concatenate(points)
    if not len(everything):
        return np.zeros(3), np.ones(3)
    low, high = everything.min(axis=0), everything.max(axis=0)
    return (low + high) / 2, np.maximum(high - low, 0.1)


def placed(shape: Shape, pose: SceneFrame) -> np.ndarray:
    """Vertices of a shape `[vertex, 3]` (m), expressed in ground."""
    if shape.body == GROUND:
        return shape.mesh.vertices
    turned = np.asarray(pose.body_rotation[shape.body], float)
    return shape.mesh.vertices @ turned.T + np.asarray(pose.body_position[shape.body], float)
