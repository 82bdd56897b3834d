"""What a face shows, frame by frame of the server, however seldom Blender comes to ask.  Knows no Blender.

Times are seconds since the first sample; frames of the server fall where they were shown, between scene frames too.  A
server that begins anew goes on at the time at which it is seen.
"""

FRAME_NS = 40_000_000
MOST_FRAMES = 60  # that the client still knows when Blender was busy
LONGEST_S = 3600.0


class Recording:
    """Frames of one face: `times` (s) rising, `values` (55 each)."""

    def __init__(self):
        self.times, self.values = [], []
        self.full = False
        self._began_ns = None  # client time
        self._epoch = 0
        self._start_ns = 0  # session time that is 0 of the recording
        self._session_ns, self._t_ns = 0, 0  # of the last sample

    @property
    def seconds(self):
        """How long it is."""
        return self.times[-1] if self.times else 0.0

    def due(self, t_ns):
        """Session times of the server's frames since the last sample, to ask for before the sample at t_ns.

        Where the session will stand then is not known: as far as the client's clock went.
        """
        if not self._epoch:
            return range(0)
        until_ns = self._session_ns + max(0, t_ns - self._t_ns)
        first = self._session_ns // FRAME_NS + 1
        first = max(first, until_ns // FRAME_NS - MOST_FRAMES)
        return range(first * FRAME_NS, until_ns + 1, FRAME_NS)

    def add(self, session_ns, epoch, values):
        """One of the frames that were due."""
        time = (session_ns - self._start_ns) / 1e9
        if epoch != self._epoch or (self.times and time <= self.times[-1]):
            return
        if time > LONGEST_S:
            self.full = True
            return
        self.times.append(time)
        self.values.append(tuple(values))

    def reached(self, session_ns, epoch, t_ns):
        """A sample was shown."""
        self._began_ns = t_ns if self._began_ns is None else self._began_ns
        if epoch != self._epoch:
            self._epoch, self._start_ns = epoch, session_ns - (t_ns - self._began_ns)
        self._session_ns, self._t_ns = session_ns, t_ns
