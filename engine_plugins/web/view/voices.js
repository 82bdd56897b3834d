// What was said and when: the loudness of a voice on the session clock, for pictures of it and for who speaks.  No DOM.

const BUCKET_MS = 10;
const SPEAKING = 10 ** (-45 / 20), HANG_MS = 200; // as the server says who speaks (docs/protocol.md, 2.3)

export class VoiceTrace {
  constructor(seconds = 16) {
    this.#peaks = new Float32Array(Math.round((seconds * 1000) / BUCKET_MS));
    this.#places = new Float64Array(this.#peaks.length).fill(-1);
    this.newestMs = -Infinity;
  }

  #peaks; #places;

  // Samples of a voice whose first one stands at that session time.
  add(sessionMs, samples, rate) {
    const step = (rate * BUCKET_MS) / 1000;
    for (let first = 0; first < samples.length; first += step) {
      const last = Math.min(samples.length, Math.floor(first + step));
      let peak = 0;
      for (let i = Math.floor(first); i < last; i++) peak = Math.max(peak, Math.abs(samples[i]));
      this.#put(Math.floor((sessionMs + (first / rate) * 1000) / BUCKET_MS), peak);
    }
    this.newestMs = Math.max(this.newestMs, sessionMs + (samples.length / rate) * 1000);
  }

  #put(place, peak) {
    const slot = place % this.#peaks.length;
    if (place < 0) return;
    this.#peaks[slot] = this.#places[slot] === place ? Math.max(this.#peaks[slot], peak) : peak;
    this.#places[slot] = place;
  }

  // The largest sample in [fromMs, toMs).
  peak(fromMs, toMs) {
    let peak = 0;
    for (let place = Math.floor(fromMs / BUCKET_MS); place < toMs / BUCKET_MS; place++) {
      const slot = place % this.#peaks.length;
      if (place >= 0 && this.#places[slot] === place) peak = Math.max(peak, this.#peaks[slot]);
    }
    return peak;
  }

  // Forgets what was to be heard from a time on: a barge-in.
  cut(fromMs) {
    for (let slot = 0; slot < this.#places.length; slot++) {
      if (this.#places[slot] * BUCKET_MS >= fromMs) this.#places[slot] = -1;
    }
  }

  clear() {
    this.#places.fill(-1);
    this.newestMs = -Infinity;
  }

  speaks(sessionMs) {
    return this.peak(sessionMs - HANG_MS, sessionMs) > SPEAKING;
  }
}

// Somebody talks into the microphone: loud for long enough, so that a cough interrupts nobody.
export class Interruption {
  static LOUD = 10 ** (-34 / 20);
  static LONG_MS = 260;

  #loudMs = 0; #quietMs = 0;

  // A packet of the microphone; true at the moment that it counts as talking.
  heard(samples, rate) {
    let power = 0;
    for (const sample of samples) power += sample * sample;
    const lengthMs = (samples.length / rate) * 1000, before = this.#loudMs;
    if (Math.sqrt(power / samples.length) > Interruption.LOUD) {
      this.#loudMs += lengthMs;
      this.#quietMs = 0;
    } else if ((this.#quietMs += lengthMs) > 300) {
      this.#loudMs = 0;
    }
    return before < Interruption.LONG_MS && this.#loudMs >= Interruption.LONG_MS;
  }
}
