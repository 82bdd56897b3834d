"""Who follows what: the subscriptions that the motion socket (an XPUB, which tells of them) has now, by head."""

from collections import Counter

import zmq

MOST_TOPICS = 1_000  # different ones that are remembered; a peer may subscribe to as many as it likes
A_TICK = 1_000  # messages
MAGIC, TOPIC = 4, 20  # bytes of a topic: kind of message, kind and head


class Subscribers:
    """Counts subscriptions to motion.  `take` often; one thread at a time."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self._socket = socket
        self._counts: Counter[bytes] = Counter()

    def take(self) -> None:
        """Take what changed.  Never waits."""
        for _ in range(A_TICK):
            try:
                news = self._socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._note(news[:1], news[1:])

    def _note(self, kind: bytes, topic: bytes) -> None:
        if not b"VVM1".startswith(topic[:MAGIC]) or len(topic) > TOPIC:
            return  # voices, cuts and descriptions: who follows a head subscribes to its motion, too
        if kind == b"\1" and (topic in self._counts or len(self._counts) < MOST_TOPICS):
            self._counts[topic] += 1
        elif kind == b"\0" and self._counts[topic] > 1:
            self._counts[topic] -= 1
        elif kind == b"\0":
            del self._counts[topic]

    def report(self) -> dict[str, int]:
        """Subscribers by head; "" are those of all heads."""
        self.take()
        heads: Counter[str] = Counter()
        for topic, n in self._counts.items():
            heads[topic[MAGIC:].rstrip(b"\0").decode("utf-8", "replace")] += n
        return dict(heads)
