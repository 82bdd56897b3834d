// Plays a take's voices; its time is the sound card's, or this machine's where there is no sound.

const SIDES = { user: -0.35, agent: 0.35 }; // a little to the left and to the right

export class Player {
  constructor(seconds) {
    this.seconds = seconds;
    this.playing = false;
    this.speed = 1;
    this.#at = 0;
  }

  #at; #context = null; #nodes = []; #buffers = new Map(); #began = null;

  // The time that is heard and seen now.
  get time() {
    if (!this.playing) return this.#at;
    const time = Math.min(this.#began.at + (this.#clock() - this.#began.clock) * this.speed, this.seconds);
    if (time >= this.seconds) {
      this.pause();
      this.#at = this.seconds;
    }
    return Math.max(time, 0);
  }

  // What comes out of the loudspeaker now, in the context's seconds.
  #clock() {
    if (this.#context?.state !== "running") return performance.now() / 1000;
    const { contextTime, performanceTime } = this.#context.getOutputTimestamp?.() ?? {};
    return performanceTime > 0 ? contextTime + (performance.now() - performanceTime) / 1000 : this.#context.currentTime;
  }

  // Voices of a take: {agent, user} of Int16Array.  A call while it plays goes on with the new ones.
  async play(voices, rate) {
    this.pause();
    if (this.#at >= this.seconds - 0.02) this.#at = 0;
    this.#context ??= new AudioContext();
    await Promise.race([this.#context.resume(), new Promise((done) => setTimeout(done, 500))]); // without a sound card: silent
    this.playing = true;
    const sounds = this.#context.state === "running", begin = this.#context.currentTime + 0.03;
    this.#began = { at: this.#at, clock: sounds ? begin : performance.now() / 1000 };
    if (!sounds) return;
    for (const [who, samples] of Object.entries(voices)) {
      if (!samples.length || this.#at * rate >= samples.length) continue;
      const node = this.#context.createBufferSource(), side = this.#context.createStereoPanner();
      side.pan.value = SIDES[who];
      node.buffer = this.#buffer(samples, rate);
      node.playbackRate.value = this.speed;
      node.connect(side).connect(this.#context.destination);
      node.start(begin, this.#at);
      this.#nodes.push(node);
    }
  }

  #buffer(samples, rate) {
    if (!this.#buffers.has(samples)) {
      const buffer = this.#context.createBuffer(1, samples.length, rate), channel = buffer.getChannelData(0);
      for (let i = 0; i < samples.length; i++) channel[i] = samples[i] / 32768;
      this.#buffers.set(samples, buffer);
    }
    return this.#buffers.get(samples);
  }

  pause() {
    if (!this.playing) return;
    this.#at = Math.max(0, Math.min(this.#began.at + (this.#clock() - this.#began.clock) * this.speed, this.seconds));
    this.playing = false;
    for (const node of this.#nodes.splice(0)) node.stop();
  }

  // Goes to a time; what plays is stopped: call `play` to go on.
  seek(seconds) {
    this.pause();
    this.#at = Math.min(Math.max(seconds, 0), this.seconds);
  }
}
