"""Give a head of a running server its voices: python send_voices.py tcp://127.0.0.1:5570 npc npc.wav player.wav

As live_session.py, but the session is the server's: any number of programs may send and watch.
"""

import sys
import time

from visavis.audio import read_audio
from visavis.bridge.client import Client

CHUNK_S = 0.02
endpoint, head = sys.argv[1:3]
agent, agent_rate = read_audio(sys.argv[3])
user, user_rate = read_audio(sys.argv[4])
seconds = min(len(user) / user_rate, float(sys.argv[5]) if len(sys.argv) > 5 else 1e9)

with Client(endpoint) as client:
    client.send_agent_audio(head, agent[: int(seconds * agent_rate)], agent_rate)  # speech may come in one burst
    start, n_sent = time.monotonic(), 0
    while (now := time.monotonic() - start) < seconds:
        until = int(now * user_rate)
        if until > n_sent:
            client.send_user_audio(head, user[n_sent:until], user_rate)  # a microphone: as it is recorded
        n_sent = until
        time.sleep(CHUNK_S)
    counters = client.request("describe", head=head)["heads"][0]["counters"]
    print(f"the head heard {counters['agent_pushed_ms'] / 1e3:.1f} s of its own voice, ", end="")
    print(f"{counters['user_pushed_ms'] / 1e3:.1f} s of the player; {counters['frames']} frames")
    client.request("cancel", head=head)  # barge-in: what is left of the line is withdrawn
