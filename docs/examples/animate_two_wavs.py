"""Two voice files in, the character's face out: python animate_two_wavs.py npc.wav player.wav motion.npz"""

import sys

import numpy as np

import visavis
from visavis.motion_file import write_motion

agent, user, out = sys.argv[1:4]
motion = visavis.animate(agent=agent, user=user, seed=7)  # the same seed and files give the same motion
write_motion(out, motion)

jaw = motion.values[:, motion.channels.index("jawOpen")]  # (frames,), 0 to 1
pitch = np.degrees(motion.values[:, motion.channels.index("headPitch")])  # positive: chin down
print(f"{len(jaw)} frames, {len(jaw) / motion.fps:.1f} s")
print(f"the jaw opens to {jaw.max():.2f}; the head nods between {pitch.min():.1f} and {pitch.max():.1f} degrees")
