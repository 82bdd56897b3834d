"""Follow a head of a running server and print its face: python subscribe.py tcp://127.0.0.1:5570 npc 10"""

import sys
import time

from visavis.bridge.receiver import Receiver, why_nothing

endpoint, head, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
n_frames = 0
with Receiver(endpoint, head) as receiver:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for track, message in receiver.receive(timeout_ms=100):
            channels = track.description.get("channels")  # names come once a second, in a message of their own
            if message.magic != "VVM1" or not channels or message.values is None:
                continue
            n_frames += 1
            if n_frames % 25 == 1:
                face = dict(zip(channels, message.values, strict=True))
                shown_s = message.presentation_ns / 1e9  # when it is to be seen, on the head's own clock
                print(f"{shown_s:7.2f} s  jaw {face['jawOpen']:.2f}  smile {face['mouthSmileLeft']:.2f}")
if not n_frames:
    sys.exit(why_nothing(endpoint))
print(f"{n_frames} frames, {receiver.tracks[head].counts['lost']} lost")
