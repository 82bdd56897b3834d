// A recorded take as the page sees it: faces at any time, voices, and how two takes differ.  No DOM.

const LEVELS = 16; // samples at the lowest level of the peaks: 1 ms

export class Take {
  // about: of /about.json; values (N * C) with NaN for frames that are missing, speaking (N), voices {agent, user}: Int16Array.
  constructor(about, values, speaking, voices) {
    Object.assign(this, { about, values, speaking, voices });
    this.channels = about.channels;
    this.nFrames = about.frames;
    this.#face = new Float32Array(this.channels.length);
    this.#peaks = Object.fromEntries(Object.entries(voices).map(([who, samples]) => [who, new Peaks(samples, about.rate)]));
  }

  #face; #peaks;

  static async load(about, number, get = fetch) {
    const bytes = async (what) => {
      const response = await get(`/takes/${number}/${what}`);
      if (!response.ok) throw new Error(`take ${about.name}: ${what} cannot be loaded (HTTP ${response.status})`);
      return response.arrayBuffer();
    };
    const [values, speaking, agent, user] = await Promise.all(["values", "speaking", "agent", "user"].map(bytes));
    return new Take(about, new Float32Array(values), new Uint8Array(speaking), { agent: new Int16Array(agent), user: new Int16Array(user) });
  }

  get knowsSpeakers() { return this.about.source !== "motion"; }

  get seconds() { return this.nFrames / this.about.frame_rate; }

  index(channel) { return this.channels.indexOf(channel); }

  // The frame that is shown at a time, 0 to nFrames - 1.
  frameAt(seconds) {
    return Math.min(Math.max(Math.floor(seconds * this.about.frame_rate + 1e-6), 0), this.nFrames - 1);
  }

  value(frame, channel) { return this.values[frame * this.channels.length + channel]; }

  // The face at a time, straight between frames; where frames are missing the last one stands.  The same array each time.
  faceAt(seconds) {
    const n = this.channels.length, place = Math.min(Math.max(seconds * this.about.frame_rate, 0), this.nFrames - 1);
    let from = Math.floor(place);
    const to = Math.min(from + 1, this.nFrames - 1), share = place - from, isThere = (frame) => !Number.isNaN(this.values[frame * n]);
    while (from > 0 && !isThere(from)) from--;
    for (let i = 0; i < n; i++) {
      const a = isThere(from) ? this.values[from * n + i] : 0, b = isThere(to) ? this.values[to * n + i] : a;
      this.#face[i] = a + share * (b - a);
    }
    return this.#face;
  }

  speaks(seconds) { return Boolean(this.speaking[this.frameAt(seconds)]); }

  // Largest sample of a voice between two times.
  peak(who, fromS, toS) { return this.#peaks[who].between(fromS, toS); }

  has(who) { return this.voices[who].length > 0; }

  turnAt(seconds) {
    const { turns, turn_s: length } = this.about;
    let low = 0, high = turns.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (turns[middle].time_s <= seconds) low = middle + 1;
      else high = middle;
    }
    const turn = turns[low - 1];
    return turn && seconds < turn.time_s + length ? turn : null;
  }
}

// Peaks of a voice at doubling lengths, so that any zoom is quick.
class Peaks {
  constructor(samples, rate) {
    this.#rate = rate;
    let level = new Uint16Array(Math.ceil(samples.length / LEVELS));
    for (let i = 0; i < samples.length; i++) level[Math.floor(i / LEVELS)] = Math.max(level[Math.floor(i / LEVELS)], Math.abs(samples[i]));
    this.#levels = [level];
    while (level.length > 1) {
      const next = new Uint16Array(Math.ceil(level.length / 2));
      level.forEach((value, i) => { next[i >> 1] = Math.max(next[i >> 1], value); });
      this.#levels.push(level = next);
    }
  }

  #rate; #levels;

  between(fromS, toS) {
    const length = ((toS - fromS) * this.#rate) / LEVELS, number = Math.min(Math.max(0, Math.floor(Math.log2(Math.max(1, length / 4)))), this.#levels.length - 1);
    const level = this.#levels[number], scale = this.#rate / (LEVELS * 2 ** number);
    let peak = 0;
    for (let i = Math.max(0, Math.floor(fromS * scale)); i <= Math.min(level.length - 1, Math.ceil(toS * scale) - 1); i++) peak = Math.max(peak, level[i]);
    return peak / 32768;
  }
}

// How two takes differ, channel by channel and frame by frame, where both have frames.
export class Difference {
  constructor(one, other) {
    this.one = one;
    this.other = other;
    this.nFrames = Math.min(one.nFrames, other.nFrames);
    this.channels = one.channels.filter((name) => other.index(name) >= 0);
    this.#places = this.channels.map((name) => [one.index(name), other.index(name)]);
    this.rms = this.channels.map((_, i) => this.#rms(i));
  }

  #places;

  // One less other, NaN where a frame is missing.
  at(frame, i) {
    const [a, b] = this.#places[i];
    return this.one.value(frame, a) - this.other.value(frame, b);
  }

  #rms(i) {
    let sum = 0, n = 0;
    for (let frame = 0; frame < this.nFrames; frame++) {
      const value = this.at(frame, i);
      if (Number.isNaN(value)) continue;
      sum += value * value;
      n++;
    }
    return n ? Math.sqrt(sum / n) : 0;
  }

  get largestRms() { return Math.max(0, ...this.rms); }

  // Channels that differ most first: [name, rms].
  ranking() {
    return this.channels.map((name, i) => [name, this.rms[i]]).sort((a, b) => b[1] - a[1]);
  }

  // The next frame, forwards or back, where all channels together differ most within a second of it.
  peakFrom(frame, direction) {
    const total = this.#totals(), step = Math.sign(direction), about = this.one.about.frame_rate;
    for (let at = frame + step * 2; at >= 0 && at < this.nFrames; at += step) {
      let most = true;
      for (let other = Math.max(0, at - about); most && other <= Math.min(this.nFrames - 1, at + about); other++) most = total[other] <= total[at];
      if (most && total[at] > 0) return at;
    }
    return null;
  }

  #totals() {
    return this.totals ??= Float32Array.from({ length: this.nFrames }, (_, frame) => {
      let sum = 0;
      for (let i = 0; i < this.channels.length; i++) sum += Math.abs(this.at(frame, i)) || 0;
      return sum;
    });
  }
}
