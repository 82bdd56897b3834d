"""A conversation as it happens, in this process: python live_session.py npc.wav player.wav

The player's file stands for a microphone: 20 ms at a time, as they are recorded.  The character's file stands for
synthetic speech: it comes in one burst, ahead of time.  Frames come out on the clock of the session.
"""

import sys
import time

import visavis
from visavis.audio import read_audio

CHUNK_S = 0.02
agent, agent_rate = read_audio(sys.argv[1])  # mono floats within +-1, and their rate in Hz
user, user_rate = read_audio(sys.argv[2])
seconds = min(len(user) / user_rate, float(sys.argv[3]) if len(sys.argv) > 3 else 1e9)

with visavis.load().session(seed=7) as session:
    jaw = session.model.channels.index("jawOpen")
    session.push_agent_audio(agent, agent_rate, time_ns=0)
    start_ns, n_heard, n_frames = time.monotonic_ns(), 0, 0
    while (now_ns := time.monotonic_ns() - start_ns) < seconds * 1e9:
        until = int(now_ns * user_rate / 1e9)  # what the microphone has recorded by now
        if until > n_heard:
            session.push_user_audio(user[n_heard:until], user_rate)
        n_heard = until
        session.advance(now_ns)  # makes the turns that are due
        for frame in session.poll():
            n_frames += 1
            if n_frames % 25 == 0:  # a game would set the face when frame.time_ns has come
                print(f"{frame.time_ns / 1e9:6.2f} s  {frame.state.name:<9}  jaw {frame.values[jaw]:.2f}")
        time.sleep(CHUNK_S)
    print(f"{n_frames} frames in {seconds:.1f} s, {session.stats['late_frames']} late")
