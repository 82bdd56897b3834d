"""Drive a rig that has controls of its own: python own_rig.py motion.npz controls.csv

A table says what each control is made of; write one for your rig.  Shapes are 0 to 1, angles radians (docs/rig.md).
"""

import csv
import sys
from pathlib import Path

import numpy as np

from visavis.motion_file import read_motion

# control -> (what it is made of, factor, least, most)
CONTROLS = {
    "jaw_rotate_x": ({"jawOpen": 1.0}, 25.0, 0.0, 30.0),  # degrees
    "mouth_corner_l": ({"mouthSmileLeft": 1.0, "mouthFrownLeft": -1.0}, 1.0, -1.0, 1.0),
    "mouth_corner_r": ({"mouthSmileRight": 1.0, "mouthFrownRight": -1.0}, 1.0, -1.0, 1.0),
    "lips_narrow": ({"mouthPucker": 0.7, "mouthFunnel": 0.5}, 1.0, 0.0, 1.0),
    "lid_l": ({"eyeBlinkLeft": 1.0, "eyeWideLeft": -0.5}, 1.0, -0.5, 1.0),
    "lid_r": ({"eyeBlinkRight": 1.0, "eyeWideRight": -0.5}, 1.0, -0.5, 1.0),
    "brows": ({"browInnerUp": 0.6, "browOuterUpLeft": 0.2, "browOuterUpRight": 0.2}, 1.0, 0.0, 1.0),
    "head_nod": ({"headPitch": 1.0}, float(np.degrees(1.0)), -30.0, 30.0),  # degrees, chin down
    "head_turn": ({"headYaw": 1.0}, float(np.degrees(1.0)), -60.0, 60.0),
}

motion = read_motion(sys.argv[1])
matrix = np.zeros((len(motion.channels), len(CONTROLS)), np.float32)
for column, (parts, factor, _, _) in enumerate(CONTROLS.values()):
    for channel, weight in parts.items():
        matrix[motion.channels.index(channel), column] = weight * factor
least, most = (np.array([control[i] for control in CONTROLS.values()]) for i in (2, 3))
controls = np.clip(motion.values @ matrix, least, most)  # (frames, controls)

with Path(sys.argv[2]).open("w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["seconds", *CONTROLS])
    for time_ns, row in zip(motion.time_ns, controls, strict=True):
        table.writerow([f"{time_ns / 1e9:.3f}", *(f"{value:.4f}" for value in row)])
print(f"{sys.argv[2]}: {len(controls)} rows of {len(CONTROLS)} controls")
