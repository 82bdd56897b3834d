// The live page: heads of a server as they speak and listen, their voices, what it all takes, and the way back.

import { connect } from "../visavis.js";
import { HeadVoice, Microphone } from "../voice.js";
import { Dials } from "./dials.js";
import { Percentiles, ServerClock } from "./meter.js";
import { COLOURS, drawBars, drawVoice, element, keyButton, ms, panel, press, Sheet, Table } from "./parts.js";
import { microphoneReason, reason } from "./reasons.js";
import { Interruption, VoiceTrace } from "./voices.js";

const CLOCK_MS = 2000; // between looks at the server's clock
const WINDOW_MS = [-7000, 600]; // of the voices that are shown, round now
const SLOW_MS = 200; // between new numbers
const MOST_AHEAD_MS = 30; // frames come 40 ms ahead of their time
const MEASURED = 5; // every so many pictures one is waited for and timed
const HEAD_CHANNEL = "headYaw";

// What the page knows of one head.
class Guest {
  constructor(head, actor) {
    Object.assign(this, { head, actor, agent: new VoiceTrace(), user: new VoiceTrace(), clock: new ServerClock() });
    this.wire = new Percentiles(); // ms from publish to arrival
    this.lag = new Percentiles(); // ms of the picture behind the session clock
    this.newestMs = null; // when a frame came, this machine's clock
    this.sounds = [];
    this.plate = element("div", { className: "plate" });
  }

  begin() {
    for (const part of [this.agent, this.user, this.clock, this.wire, this.lag]) part.clear();
  }

  // Does the other party speak?  Its partner, a recorded user, or whoever talks into the microphone.
  userSpeaks(guests, sessionMs) {
    const partner = guests.get(this.head.description?.partner);
    return partner ? partner.head.speaking : this.user.speaks(sessionMs);
  }
}

export class LivePage {
  constructor({ stage, say, keys, places }) {
    this.stage = stage;
    this.guests = new Map();
    this.chosen = null;
    this.frames = { drawn: 0, rate: new Percentiles(120), work: new Percentiles(240) };
    this.#say = say;
    this.#places = places;
    this.#startedMs = performance.now();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.stream = connect(`${scheme}://${location.host}/stream${location.search}`);
    this.#listen();
    this.#buttons(keys);
    this.#panels();
    setInterval(() => this.#askClocks(), CLOCK_MS);
    setInterval(() => this.#slow(), SLOW_MS);
  }

  #say; #places; #startedMs; #context = null; #microphone = null; #interruption = new Interruption(); #told = "";
  #buttonOf = {}; #numbers; #stages; #bars; #dials; #voices; #lastDrawMs = null; #aheadMs = 0; #sound = false; #openedMs = performance.now();

  // ------------------------------------------------------------------------------------------------ what comes in

  #listen() {
    const on = (type, take) => this.stream.addEventListener(type, ({ detail }) => take(detail));
    on("open", () => { this.#openedMs = performance.now(); setTimeout(() => this.#askClocks(), 50); });
    on("head", (head) => this.#meet(head));
    on("restart", (head) => this.guests.get(head.name)?.begin());
    on("frame", ({ head, message, arrivedMs }) => {
      const guest = this.guests.get(head.name);
      guest.newestMs = arrivedMs;
      const serverMs = guest.clock.serverMs(arrivedMs);
      if (serverMs !== null) guest.wire.add(serverMs - Number(message.publishNs) / 1e6);
    });
    for (const [type, who] of [["voice", "agent"], ["user", "user"]]) {
      on(type, ({ head, message }) =>
        this.guests.get(head.name)[who].add(Number(message.presentationNs) / 1e6, message.values, message.rate));
    }
    on("cut", ({ head, fromMs }) => this.guests.get(head.name)?.agent.cut(fromMs));
  }

  #meet(head) {
    const guest = new Guest(head, this.stage.add(head.name));
    this.guests.set(head.name, guest);
    this.#places.plates.append(guest.plate);
    const number = this.guests.size;
    guest.button = element("button", { type: "button", onclick: () => this.choose(head.name), title: `Key ${number}` }, head.name);
    this.#places.heads.append(guest.button);
    if (!this.chosen) this.choose(head.name);
    if (this.#sound) this.#play(guest);
    this.#askClocks();
  }

  choose(name) {
    if (!this.guests.has(name)) return;
    this.chosen = name;
    for (const [each, { button }] of this.guests) press(button, each === name);
    if (this.#microphone) this.#microphone.head = name;
  }

  get guest() { return this.guests.get(this.chosen) ?? null; }

  async #askClocks() {
    for (const [name, guest] of this.guests) {
      const sentMs = performance.now();
      try {
        guest.clock.add(await this.stream.request("clock", { client_ns: 0, head: name }), sentMs, performance.now());
      } catch {
        guest.clock.clear(); // closed, or the connection is: the message says so
      }
    }
  }

  // ------------------------------------------------------------------------------------------------- what goes back

  #buttons(keys) {
    const add = (name, ...rest) => {
      this.#buttonOf[name] = keyButton(keys, ...rest);
      this.#places.actions.append(this.#buttonOf[name]);
    };
    add("sound", "Sound", "s", "Hear both voices, in time with the faces", () => this.#tried(() => this.sound(!this.#sound)));
    add("talk", "Talk", "m", "Be the user: your microphone goes to the chosen head", () => this.#tried(() => this.talk(!this.#microphone)));
    add("interrupt", "Interrupt", "i", "Barge in: the chosen head stops speaking", () => this.#tried(() => this.stream.cancel(this.chosen)));
    for (let n = 1; n < 10; n++) keys.set(String(n), { action: () => this.choose([...this.guests.keys()][n - 1]) });
  }

  async #tried(action) {
    try {
      await action();
    } catch (error) {
      this.#say(error.message);
    }
  }

  async sound(on) {
    this.#sound = on;
    press(this.#buttonOf.sound, on);
    if (on) {
      this.#context ??= new AudioContext({ latencyHint: "interactive" });
      await this.#context.resume();
      for (const guest of this.guests.values()) this.#play(guest);
    } else {
      for (const guest of this.guests.values()) for (const voice of guest.sounds.splice(0)) voice.close();
    }
  }

  #play(guest) {
    for (const event of ["voice", "user"]) guest.sounds.push(new HeadVoice(this.stream, guest.head.name, this.#context, { event }));
  }

  async talk(on) {
    if (on) {
      if (!this.chosen) throw new Error("no head to talk to yet");
      this.#context ??= new AudioContext({ latencyHint: "interactive" });
      try {
        if (!navigator.mediaDevices) throw new Error("no microphone here");
        this.#microphone = await Microphone.open(this.stream, this.chosen, this.#context, (...packet) => this.#heard(...packet));
      } catch (error) {
        throw new Error(microphoneReason(error, isSecureContext, location.host));
      }
      await this.#context.resume();
    } else this.#microphone = this.#microphone.close() ?? null;
    press(this.#buttonOf.talk, on);
  }

  get microphone() { return this.#microphone; }

  #heard(samples, rate) {
    const { guest } = this, sessionMs = guest?.head.sessionMs(performance.now());
    if (!guest || sessionMs === null) return;
    guest.user.add(sessionMs - (samples.length / rate) * 1000, samples, rate);
    if (this.#interruption.heard(samples, rate) && guest.head.speaking) this.#tried(() => this.stream.cancel(this.chosen));
  }

  // --------------------------------------------------------------------------------------------------- what is shown

  #panels() {
    const { panels, strip } = this.#places;
    this.#voices = new Sheet(strip, 92, "Both voices of the chosen head, the user above, the head below");
    const timing = panel(panels, "Timing");
    this.#numbers = new Table(timing, [
      ["picture behind the voice, p50", "Session clock when the picture is drawn, less the session time that it shows"], ["p99"],
      ["server to page, p50", "From the publishing of a frame to its arrival here"], ["p99"],
      ["pictures a second"], ["drawing takes, p50"], ["jitter buffer"], ["messages lost, gaps"], ["late, dropped frames"], ["microphone"],
    ]);
    this.#stages = { meter: element("div", { className: "meter", title: "Where the time of a turn goes" }), text: element("p", { className: "quiet" }) };
    panel(panels, "A turn of the model").append(this.#stages.meter, this.#stages.text);
    const small = matchMedia("(max-width: 60rem)").matches;
    this.#dials = new Dials(panel(panels, "Dials", !small), (head, set) => this.stream.setDials(head, set), (error) => this.#say(error.message));
    this.#bars = new Sheet(panel(panels, "Face", !small), 400, "All channels of the chosen head");
  }

  // One picture.
  draw(nowMs) {
    const seenMs = nowMs + this.#aheadMs; // when the picture is there
    for (const guest of this.guests.values()) {
      const heardMs = guest.sounds[0]?.heardMs(seenMs) ?? null;
      const { head } = guest, face = heardMs === null ? head.sample(seenMs) : head.sampleAt(heardMs);
      if (face) guest.actor.set(face, head.channels);
      if (face) guest.face = face;
    }
    const beginMs = performance.now();
    this.stage.draw();
    if (this.#lastDrawMs !== null) this.frames.rate.add(beginMs - this.#lastDrawMs);
    this.#lastDrawMs = beginMs;
    if (this.frames.drawn++ % MEASURED === 0) this.#measure(beginMs);
    this.#drawVoices(nowMs);
    if (this.guest?.face && this.#bars.isSeen) drawBars(this.#bars, this.guest.head.channels, this.guest.head.units, this.guest.face);
  }

  #measure(beginMs) {
    this.stage.finish();
    const endMs = performance.now();
    this.frames.work.add(endMs - beginMs);
    this.#aheadMs = Math.min(this.frames.work.at(50), MOST_AHEAD_MS);
    for (const { head, clock, lag } of this.guests.values()) {
      const sessionMs = clock.sessionMs(endMs);
      if (sessionMs !== null && head.pictureMs !== null) lag.add(sessionMs - head.pictureMs);
    }
  }

  #drawVoices(nowMs) {
    const { paint, width, height } = this.#voices.begin(), { guest } = this, sessionMs = guest?.head.sessionMs(nowMs) ?? null;
    if (sessionMs === null) return;
    const [fromMs, toMs] = WINDOW_MS.map((ms) => sessionMs + ms), half = height / 2 - 3;
    const partner = this.guests.get(guest.head.description.partner), shift = partner ? partner.head.sessionMs(nowMs) - sessionMs : 0;
    const trace = partner ? partner.agent : guest.user;
    drawVoice(paint, { top: 0, width, height: half, fromMs, toMs, colour: COLOURS.user, peakOf: (a, b) => trace.peak(a + shift, b + shift) });
    drawVoice(paint, { top: half + 6, width, height: half, fromMs, toMs, colour: COLOURS.agent, peakOf: (a, b) => guest.agent.peak(a, b) });
    const now = (width * -WINDOW_MS[0]) / (WINDOW_MS[1] - WINDOW_MS[0]);
    paint.fillStyle = COLOURS.line;
    paint.fillRect(0, height / 2, width, 1);
    paint.fillStyle = COLOURS.text;
    paint.fillRect(now, 0, 1, height);
    paint.fillStyle = COLOURS.quiet;
    paint.fillText(partner ? `user: ${partner.head.name}` : this.#microphone ? "user: you" : "user", 2, 11);
    paint.fillText(guest.head.name, 2, height - 4);
  }

  // What need not change with every picture.
  #slow() {
    const nowMs = performance.now(), { guest } = this;
    this.#tell(nowMs);
    this.#placePlates(nowMs);
    if (!guest?.head.description) return;
    const { head, lag, wire } = guest, { counters, dials, stage_ms: stages } = head.description;
    const fps = this.frames.rate.at(50), lost = head.counters.lost + head.counters.jumps;
    this.#numbers.show([
      ms(lag.at(50)), ms(lag.at(99)), ms(wire.at(50)), ms(wire.at(99)), fps ? (1000 / fps).toFixed(0) : "-",
      `${ms(this.frames.work.at(50))} ${this.stage.quality.name}`, ms(head.delayMs), [`${head.counters.lost}, ${head.counters.jumps}`, lost > 0],
      [`${counters.late_frames}, ${counters.dropped_frames}`, counters.late_frames + counters.dropped_frames > 0],
      this.#microphone ? `${this.#microphone.packets} packets to ${this.#microphone.head}` : "off",
    ]);
    if (stages) this.#showStages(stages, head.description.turn_frames * 40, head.description.engine);
    this.#dials.show(head.name, dials);
    this.#buttonOf.interrupt.disabled = !head.speaking;
  }

  #showStages(stages, turnMs, engine) {
    const colours = [COLOURS.user, COLOURS.agent, COLOURS.other], names = Object.keys(stages);
    const parts = names.map((name, i) => Object.assign(element("i"), { style: `width:${(100 * stages[name].p50) / turnMs}%;background:${colours[i]}` }));
    this.#stages.meter.replaceChildren(...parts);
    this.#stages.text.textContent = `${names.map((name) => `${name} ${ms(stages[name].p50)} (p99 ${ms(stages[name].p99)})`).join(", ")}; of ${turnMs} ms, on ${engine}`;
  }

  #tell(nowMs) {
    const heads = [...this.guests.values()].map(({ head, newestMs }) => ({ name: head.name, newestMs, channels: head.channels, closed: head.closed }));
    const state = { open: this.stream.isOpen, problem: this.stream.problem, sinceMs: this.#openedMs, drawMs: this.frames.work.at(50) ?? 0, heads, shapes: [...this.stage.mesh.shapes, HEAD_CHANNEL] };
    const found = reason(state, nowMs);
    const text = found?.text ?? "";
    if (text === this.#told) return;
    this.#told = text;
    this.#say(text, { lasting: true });
  }

  #placePlates(nowMs) {
    const scale = this.stage.canvas.clientWidth / this.stage.canvas.width;
    for (const [actor, left, bottom, width] of this.stage.panels()) {
      const { plate, head } = this.guests.get(actor.name), session = head.sessionMs(nowMs);
      const partner = session !== null && this.guests.get(actor.name).userSpeaks(this.guests, session);
      const doing = head.closed ? "closed" : head.speaking ? (partner ? "speaks, and is spoken to" : "speaks") : partner ? "listens" : "waits";
      plate.replaceChildren(element("b", {}, head.name), ` ${doing}`);
      plate.classList.toggle("speaks", head.speaking);
      plate.classList.toggle("chosen", head.name === this.chosen);
      Object.assign(plate.style, { left: `${(left + width / 2) * scale}px`, bottom: `${bottom * scale + 12}px` });
    }
  }
}
