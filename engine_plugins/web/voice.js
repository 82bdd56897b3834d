// Sound for a page: plays a head's voice, and sends the microphone.  Needs a browser.
//
//   const voice = new HeadVoice(stream, "npc", audioContext);          // after a click, as browsers ask for
//   const microphone = await Microphone.open(stream, "npc", audioContext);

const AHEAD_S = 0.005, SPARE_S = 0.02; // nothing begins sooner than that after now; what would begin too late gets more
const NEAR_S = 0.04, FAR_S = 0.3; // so far from its time a voice is put right in a pause, or at once
const MOST_LATE_S = 1; // what comes later is dropped
const PAUSE = 0.01; // peak of a packet that counts as one
const PROCESSOR = `registerProcessor("visavis-microphone", class extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) this.port.postMessage(input[0].slice());
    return true;
  }
});`;

// Packets are joined without a seam on the sound card's clock.  `heardMs()` says which moment of the session is heard
// right now, the way to the loudspeaker included: show `head.sampleAt(voice.heardMs())` and lips fit the voice.
export class HeadVoice {
  // `event`: "voice", or "user" for the recorded user of a demo or a take.  `to`: what it plays into.
  constructor(stream, head, context, { event = "voice", to = context.destination, now = () => performance.now() } = {}) {
    this.context = context;
    this.dropped = 0; // packets whose time was over
    this.played = 0;
    this.moved = 0; // times that the voice was put to another place on the sound card's clock
    this.#playing = new Set();
    this.#stream = stream;
    this.#to = to;
    this.#now = now;
    this.#listeners = {
      [event]: ({ detail }) => detail.head.name === head && this.#play(detail),
      cut: ({ detail }) => detail.head.name === head && this.#cut(detail.fromMs),
      restart: ({ detail }) => detail.name === head && this.#cut(-Infinity),
    };
    for (const [type, listener] of Object.entries(this.#listeners)) stream.addEventListener(type, listener);
  }

  #stream; #listeners; #playing; #to; #now;
  #joint = null; // {at (context's clock, s), sessionMs}: where the next packet belongs

  // What the context's clock shows for the sound that is heard at that moment of this machine's clock.
  #heardAt(localMs) {
    const { contextTime, performanceTime } = this.context.getOutputTimestamp?.() ?? {};
    if (!(performanceTime > 0)) return this.context.currentTime + (localMs - this.#now()) / 1000;
    return contextTime + (localMs - performanceTime) / 1000;
  }

  #play({ head, message }) {
    const { rate, values } = message, sessionMs = Number(message.presentationNs) / 1e6, localMs = head.localMs(sessionMs);
    if (localMs === null || this.context.state === "suspended" || !values.length) return;
    const soonest = this.context.currentTime + AHEAD_S, ideal = this.#heardAt(localMs);
    let at = this.#joint && this.#joint.at + (sessionMs - this.#joint.sessionMs) / 1000;
    const best = ideal < soonest ? soonest + SPARE_S : ideal, off = at === null ? Infinity : Math.abs(at - best);
    if (off > FAR_S || at < this.context.currentTime || (off > NEAR_S && isPause(values))) {
      if (ideal < soonest - MOST_LATE_S) {
        this.dropped++;
        return;
      }
      at = best;
      this.moved++;
    }
    this.#joint = { at, sessionMs };
    const buffer = this.context.createBuffer(1, values.length, rate);
    buffer.copyToChannel(values, 0);
    const node = this.context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.#to);
    const entry = { node, sessionMs, at, endMs: sessionMs + (values.length / rate) * 1000 };
    node.onended = () => this.#playing.delete(entry);
    this.#playing.add(entry);
    node.start(at);
    this.played++;
  }

  // The session time that is heard at a moment of this machine's clock, null while nothing is.
  heardMs(localMs = this.#now()) {
    const at = this.#heardAt(localMs);
    for (const entry of this.#playing) {
      const ms = entry.sessionMs + (at - entry.at) * 1000;
      if (ms >= entry.sessionMs && ms < entry.endMs) return ms;
    }
    return null;
  }

  #cut(fromMs) {
    for (const { node, sessionMs, at } of this.#playing) {
      if (sessionMs >= fromMs) node.stop();
      else node.stop(Math.max(this.context.currentTime, at + (fromMs - sessionMs) / 1000));
    }
  }

  close() {
    for (const [type, listener] of Object.entries(this.#listeners)) this.#stream.removeEventListener(type, listener);
    this.#cut(-Infinity);
  }
}

const isPause = (samples) => samples.every((sample) => Math.abs(sample) < PAUSE);

export class Microphone {
  static #prepared = new WeakSet(); // contexts that know the processor

  // Asks for the microphone and sends it as the user's voice of a head until `close`.
  // `heard`: gets each packet (Float32Array, valid during the call) and its rate.
  static async open(stream, head, context, heard = () => {}) {
    const media = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true } });
    if (!Microphone.#prepared.has(context)) {
      const url = URL.createObjectURL(new Blob([PROCESSOR], { type: "text/javascript" }));
      try {
        await context.audioWorklet.addModule(url);
        Microphone.#prepared.add(context);
      } catch (error) {
        for (const track of media.getTracks()) track.stop();
        throw error;
      } finally {
        URL.revokeObjectURL(url);
      }
    }
    return new Microphone(stream, head, context, media, heard);
  }

  constructor(stream, head, context, media, heard) {
    this.packets = 0;
    this.head = head; // whom it talks to
    this.#media = media;
    this.#source = context.createMediaStreamSource(media);
    this.#worklet = new AudioWorkletNode(context, "visavis-microphone", { numberOfOutputs: 0 });
    const packet = new Float32Array(Math.round(context.sampleRate / 50)); // 20 ms
    let filled = 0;
    this.#worklet.port.onmessage = ({ data }) => {
      for (const sample of data) {
        packet[filled++] = sample;
        if (filled < packet.length) continue;
        filled = 0;
        this.packets += stream.sendUserVoice(this.head, packet, context.sampleRate);
        heard(packet, context.sampleRate);
      }
    };
    this.#source.connect(this.#worklet);
  }

  #media; #source; #worklet;

  close() {
    this.#source.disconnect();
    this.#worklet.port.onmessage = null;
    for (const track of this.#media.getTracks()) track.stop();
  }
}
