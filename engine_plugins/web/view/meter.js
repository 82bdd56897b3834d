// Numbers that are shown: percentiles of the last values, and the lag of the picture.  No DOM.

export class Percentiles {
  constructor(most = 600) {
    this.#most = most;
  }

  #most; #values = [];

  get count() { return this.#values.length; }

  add(value) {
    if (!Number.isFinite(value)) return;
    this.#values.push(value);
    if (this.#values.length > this.#most) this.#values.shift();
  }

  // The value that `percent` of them do not exceed, null without any.
  at(percent) {
    if (!this.#values.length) return null;
    const sorted = [...this.#values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor((percent / 100) * sorted.length))];
  }

  clear() {
    this.#values = [];
  }
}

// Where the server's clocks stand, from replies to `clock` (docs/protocol.md, 6.2): that of the shortest way counts.
export class ServerClock {
  constructor(most = 8) {
    this.#most = most;
  }

  #most; #samples = [];

  // sentMs, arrivedMs: of this machine's clock; reply: the server's.
  add(reply, sentMs, arrivedMs) {
    const receiveMs = reply.server_receive_ns / 1e6, sendMs = reply.server_send_ns / 1e6;
    const roundTripMs = arrivedMs - sentMs - (sendMs - receiveMs);
    const offsetMs = (receiveMs - sentMs + (sendMs - arrivedMs)) / 2;
    this.#samples.push({ roundTripMs, offsetMs, sessionAtMs: sendMs - (reply.session_ns ?? 0) / 1e6 });
    if (this.#samples.length > this.#most) this.#samples.shift();
  }

  clear() {
    this.#samples = [];
  }

  get best() {
    return this.#samples.reduce((best, sample) => (sample.roundTripMs < (best?.roundTripMs ?? Infinity) ? sample : best), null);
  }

  // The server's clock at a moment of this machine's, null before the first reply.
  serverMs(localMs) {
    return this.best && localMs + this.best.offsetMs;
  }

  // The head's session clock at that moment.
  sessionMs(localMs) {
    return this.best && localMs + this.best.offsetMs - this.#samples.at(-1).sessionAtMs;
  }
}
