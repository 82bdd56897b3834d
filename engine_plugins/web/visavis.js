// Visavis heads in a browser: a stream from the relay of `visavis serve --web PORT`, and the way back.
//
//   import { connect } from "./visavis.js";
//   const stream = connect("ws://127.0.0.1:5580/stream");
//   function frame(nowMs) {
//     const face = stream.head("npc")?.sample(nowMs);   // Float32Array in the order of head.channels, or null
//     ...
//   }

import { Head } from "./head.js";
import { decode, encodeFace, encodeVoice, WireError } from "./wire.js";

export * from "./wire.js";
export { Head } from "./head.js";

const FIRST_RETRY_MS = 250, LAST_RETRY_MS = 4000;
const REQUEST_MS = 3000;
const PACKET_SAMPLES = 4000; // a longer push goes out as several messages
const MOST_WAITING_BYTES = 256 * 1024; // of what is sent: a voice does not queue up behind a slow network

export function connect(url, options = {}) {
  return new Stream(url, options);
}

export class Stream extends EventTarget {
  // Events: "open", "close", "head" (detail: a Head seen for the first time), "frame" (detail: {head, message, arrivedMs}
  // of VVM1), "voice" (detail: {head, message} of VVA1), "user" (the same of VVU1: a recorded user), "cut" (detail: {head,
  // fromMs}), "restart" (detail: a Head whose session began anew).
  // Options: WebSocket and now for tests; reconnect false.
  constructor(url, { WebSocket = globalThis.WebSocket, now = () => performance.now(), reconnect = true } = {}) {
    super();
    this.url = url;
    this.heads = new Map();
    this.counters = { messages: 0, malformed: 0, connects: 0, unsent: 0 };
    this.problem = ""; // why nothing comes, for people
    this.#makeSocket = () => new WebSocket(url);
    this.#now = now;
    this.#reconnect = reconnect;
    this.#open();
  }

  #makeSocket; #now; #reconnect; #socket = null; #retryMs = FIRST_RETRY_MS; #timer = null;
  #sequences = new Map(); #requests = new Map(); #nextId = 1;

  head(name) {
    return this.heads.get(name) ?? null;
  }

  get isOpen() { return this.#socket?.readyState === 1; }

  close() {
    this.#reconnect = false;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #open() {
    const socket = this.#socket = this.#makeSocket();
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.counters.connects++;
      this.#retryMs = FIRST_RETRY_MS;
      this.#sequences.clear(); // the relay knows a new sender
      this.problem = "";
      this.#tell("open");
    };
    socket.onmessage = (event) => this.#take(event.data);
    socket.onerror = () => {};
    socket.onclose = (event) => {
      this.problem = event.reason || `no connection to ${this.url}: is \`visavis serve --web\` running, and is this `
        + "page's origin allowed (--web-origin)?";
      for (const { reject, timer } of this.#requests.values()) {
        clearTimeout(timer);
        reject(new Error("the connection is closed"));
      }
      this.#requests.clear();
      this.#tell("close");
      if (!this.#reconnect) return;
      this.#timer = setTimeout(() => this.#open(), this.#retryMs);
      this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
    };
  }

  #tell(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), { detail }));
  }

  #take(data) {
    const arrivedMs = this.#now();
    this.counters.messages++;
    if (typeof data === "string") return this.#takeReply(data);
    try {
      let message = decode(data);
      let head = this.heads.get(message.head);
      if (message.values === null && head?.units) message = decode(data, head.units);
      const isNew = head === undefined;
      if (isNew) head = new Head(message.head);
      const restarts = head.counters.restarts;
      if (!head.push(message, arrivedMs)) return;
      if (isNew) {
        this.heads.set(message.head, head);
        this.#tell("head", head);
      }
      if (head.counters.restarts > restarts) this.#tell("restart", head);
      if (message.magic === "VVM1") this.#tell("frame", { head, message, arrivedMs });
      if (message.magic === "VVA1") this.#tell("voice", { head, message });
      if (message.magic === "VVU1") this.#tell("user", { head, message });
      if (message.magic === "VVC1") this.#tell("cut", { head, fromMs: Number(message.presentationNs) / 1e6 });
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.counters.malformed++;
    }
  }

  #takeReply(text) {
    let reply;
    try {
      reply = JSON.parse(text);
    } catch {
      this.counters.malformed++;
      return;
    }
    const waiting = this.#requests.get(reply?.id);
    if (waiting === undefined) return;
    this.#requests.delete(reply.id);
    clearTimeout(waiting.timer);
    if (reply.ok) waiting.resolve(reply);
    else waiting.reject(new Error(reply.error?.message ?? "refused"));
  }

  // A control request (docs/protocol.md, section 6): describe, clock, dials or cancel.  Resolves to the reply.
  request(name, members = {}) {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(new Error(this.problem || "the connection is not open yet"));
      const id = this.#nextId++;
      const timer = setTimeout(() => {
        this.#requests.delete(id);
        reject(new Error(`no answer to ${name} within ${REQUEST_MS} ms`));
      }, REQUEST_MS);
      this.#requests.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...members, request: name, id }));
    });
  }

  cancel(head, fromNs = null) {
    return this.request("cancel", { head, from_ns: fromNs });
  }

  setDials(head, dials) {
    return this.request("dials", { head, set: dials });
  }

  // The user's voice, mono, full scale +-1, as it is recorded; false if the connection could not take it.
  sendUserVoice(head, samples, rate) {
    let sent = true;
    for (let first = 0; first < samples.length; first += PACKET_SAMPLES) {
      const part = samples.subarray(first, first + PACKET_SAMPLES);
      sent = this.#send(head, "VVU1", (common) => encodeVoice("VVU1", head, part, rate, common)) && sent;
    }
    return sent;
  }

  // One frame of the user's tracked face, in the head's own channels.
  sendUserFace(head, values) {
    const known = this.heads.get(head);
    if (!known?.channels) return false;
    return this.#send(head, "VVT1", (common) => encodeFace(head, values, known.channels, known.units, common));
  }

  #send(head, magic, encodeWith) {
    if (!this.isOpen || this.#socket.bufferedAmount > MOST_WAITING_BYTES) {
      this.counters.unsent++;
      return false;
    }
    const key = magic + head, sequence = this.#sequences.get(key) ?? 0n;
    this.#socket.send(encodeWith({ sequence, frame: sequence, publishNs: BigInt(Math.round(this.#now() * 1e6)) }));
    this.#sequences.set(key, sequence + 1n);
    return true;
  }
}
