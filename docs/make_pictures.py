"""Draws every bundled model from the right and from the front: the pictures of docs/viewing.md.

python docs/make_pictures.py [MODEL...]
"""

import dataclasses
import pathlib
import sys

import numpy as np
from PIL import Image

from jaxosim import bundled_models, load_model
from jaxosim.host.files import replacing
from jaxosim.viewer.image import Camera, render_frame
from jaxosim.viewer.scene import default_state

FOLDER = pathlib.Path(__file__).resolve().parent / "pictures"
SIZE = (360, 540)  # pixels
POSE = {"r_shoulder_elev": 0.1, "r_elbow_flex": 0.6}  # rad; the arm's own default points backwards
LIFTS = {"gait9dof18musc": 0.03}  # m; its default pose stands in the floor
COLORS = 96  # of the palette: a picture stays below 100 kB


def main(names: list[str]) -> None:
    """Draws the named models, or all; activations rise from muscle to muscle to tell them apart."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or bundled_models():
        model, params = load_model(name)
        q = np.array(params.coordinates.default_value)
        for joint, angle in POSE.items():
            if joint in model.coordinate_names:
                q[model.coordinate_names.index(joint)] = angle
        if name in LIFTS:
            q[model.coordinate_names.index("pelvis_ty")] += LIFTS[name]
        coordinates = dataclasses.replace(params.coordinates, default_value=q)
        params = dataclasses.replace(params, coordinates=coordinates)
        spread = np.linspace(0, 1, len(model.muscle_names))
        state = dataclasses.replace(default_state(params), activation=spread)
        for view in ("side", "front"):
            frame = render_frame(model, params, state, SIZE, Camera(view))
            picture = Image.fromarray(frame).quantize(COLORS)
            path = FOLDER / f"{name}_{view}.png"
            with replacing(path) as unfinished:
                picture.save(unfinished, optimize=True)
            print(path, path.stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1:])
