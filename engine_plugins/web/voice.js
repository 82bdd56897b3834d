// Sound for a page: plays a head's voice in time with its face, and sends the microphone.  Needs a browser.
//
//   const voice = new HeadVoice(stream, "npc", audioContext);          // after a click, as browsers ask for
//   const microphone = await Microphone.open(stream, "npc", audioContext);

const LATE_S = 0.02; // a packet later than this is dropped
const PROCESSOR = `registerProcessor("visavis-microphone", class extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) this.port.postMessage(input[0].slice());
    return true;
  }
});`;

export class HeadVoice {
  constructor(stream, head, context) {
    this.context = context;
    this.dropped = 0;
    this.played = 0;
    this.#playing = new Set();
    this.#stream = stream;
    this.#listeners = {
      voice: ({ detail }) => detail.head.name === head && this.#play(detail),
      cut: ({ detail }) => detail.head.name === head && this.#cut(detail.fromMs),
      restart: ({ detail }) => detail.name === head && this.#cut(-Infinity),
    };
    for (const [type, listener] of Object.entries(this.#listeners)) stream.addEventListener(type, listener);
  }

  #stream; #listeners; #playing;

  #play({ head, message }) {
    const sessionMs = Number(message.presentationNs) / 1e6, localMs = head.localMs(sessionMs);
    if (localMs === null) return;
    const at = this.context.currentTime + (localMs - performance.now()) / 1000;
    if (at < this.context.currentTime - LATE_S) {
      this.dropped++;
      return;
    }
    const buffer = this.context.createBuffer(1, message.values.length, message.rate);
    buffer.copyToChannel(message.values, 0);
    const node = this.context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.context.destination);
    node.onended = () => this.#playing.delete(entry);
    const entry = { node, sessionMs };
    this.#playing.add(entry);
    node.start(Math.max(at, this.context.currentTime));
    this.played++;
  }

  #cut(fromMs) {
    for (const entry of this.#playing) {
      if (entry.sessionMs >= fromMs) entry.node.stop();
    }
  }

  close() {
    for (const [type, listener] of Object.entries(this.#listeners)) this.#stream.removeEventListener(type, listener);
    this.#cut(-Infinity);
  }
}

export class Microphone {
  // Asks for the microphone and sends it as the user's voice of a head until `close`.
  static async open(stream, head, context) {
    const media = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true } });
    const url = URL.createObjectURL(new Blob([PROCESSOR], { type: "text/javascript" }));
    try {
      await context.audioWorklet.addModule(url);
    } finally {
      URL.revokeObjectURL(url);
    }
    return new Microphone(stream, head, context, media);
  }

  constructor(stream, head, context, media) {
    this.packets = 0;
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
        this.packets += stream.sendUserVoice(head, packet, context.sampleRate);
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
