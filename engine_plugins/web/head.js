// One head as a subscriber sees it: jitter buffer, interpolation, counters.  Fed with decoded messages; knows no socket.
//
//   head.push(message, performance.now());            // what decode() gave
//   const values = head.sample(performance.now());    // Float32Array (C,), the same one each time; null before a frame
//
// Times are milliseconds: of the session clock where it says so, else of the clock that the caller hands in.

import { descriptionOf, END, SPEAKING, WireError, WITHDRAWN } from "./wire.js";

const FRAME_MS = 40;
const HELD_MS = 400, EASE_MS = 400; // after the last frame: held, then eased to neutral
const MOST_FRAMES = 256; // about 10 s
const MARGIN_MS = 5; // frames should be there so long before they are shown
const MOST_DELAY_MS = 500; // what is later is lost: the delay never grows beyond
const WINDOW_MS = 5000; // the quickest way is remembered for one to two of these
const BATCHES = 40, TOO_LATE = 4; // of the last so many batches of frames, so many may come too late: a stall is no jitter
const SHRINK = 0.1; // milliseconds a millisecond by which a delay that is no longer needed goes away

// The largest value of the last one to two windows.
class RecentMost {
  constructor() {
    this.last = this.present = -Infinity;
    this.endMs = -Infinity;
  }

  push(value, nowMs) {
    if (nowMs >= this.endMs) {
      this.last = this.present;
      this.present = -Infinity;
      this.endMs = nowMs + WINDOW_MS;
    }
    this.present = Math.max(this.present, value);
    return Math.max(this.last, this.present);
  }
}

const toMs = (ns) => Number(ns) / 1e6;

export class Head {
  constructor(name) {
    this.name = name;
    this.description = null; // of the newest VVD1
    this.counters = { frames: 0, lost: 0, repeated: 0, late: 0, jumps: 0, cuts: 0, restarts: 0, undescribed: 0 };
    this.epoch = 0;
    this.#begin(0);
  }

  // The channels' names and units, null before the first description.
  get channels() { return this.description?.channels ?? null; }
  get units() { return this.description?.units ?? null; }
  get speaking() { return Boolean(this.#shown && this.#shown.state & SPEAKING); }
  get delayMs() { return this.#delayMs; }
  get closed() { return this.#closed; }

  // The session time that the last face shows: what was asked for, or as far as frames have come.
  get pictureMs() {
    if (this.#shown === null) return null;
    return this.#frames.length ? this.#askedMs : Math.min(this.#askedMs, this.#shown.ms + FRAME_MS);
  }

  #frames; #expected; #closed; #shown; #newest; #values; #delayMs; #neededMs; #sampledMs; #playedMs; #askedMs;
  #offset; #localToServer; #serverAtSession; #needs; #batch;

  #begin(epoch) {
    this.epoch = epoch;
    this.#frames = []; // {ms (session), values, state}, rising: those to come
    this.#expected = new Map(); // next sequence by magic
    this.#closed = false;
    this.#shown = null; // the frame that was reached last
    this.#newest = null; // index of the newest frame
    this.#values = null;
    this.#delayMs = this.#neededMs = 0;
    this.#sampledMs = this.#playedMs = this.#askedMs = -Infinity;
    this.#offset = new RecentMost(); // of publish - arrival: the quickest way
    this.#localToServer = null;
    this.#serverAtSession = null; // server's clock at session time 0
    this.#needs = []; // delay that the last batches of frames would have needed
    this.#batch = null; // when the newest batch was published
  }

  // Takes a message of this head; false if it was a repeated one.
  push(message, arrivedMs) {
    if (message.epoch !== this.epoch) {
      if (this.epoch) this.counters.restarts++;
      this.#begin(message.epoch);
    }
    const expected = this.#expected.get(message.magic) ?? message.sequence;
    if (message.sequence < expected) {
      this.counters.repeated++;
      return false;
    }
    this.counters.lost += Number(message.sequence - expected);
    this.#expected.set(message.magic, message.sequence + 1n);
    this.#localToServer = this.#offset.push(toMs(message.publishNs) - arrivedMs, arrivedMs);
    if (message.magic === "VVD1") {
      this.#describe(descriptionOf(message));
      this.#serverAtSession = toMs(message.publishNs) - toMs(message.presentationNs);
    } else if (message.magic === "VVC1") {
      this.counters.cuts++;
      this.#cut(toMs(message.presentationNs));
    } else if (message.magic === "VVM1") {
      this.#pushFrame(message, arrivedMs);
    }
    return true;
  }

  #describe(description) {
    const { channels, units } = description;
    const fits = (list) => Array.isArray(list) && list.every((text) => typeof text === "string");
    if (!fits(channels) || !fits(units) || channels.length !== units.length) {
      throw new WireError("wire message: description without channels and their units");
    }
    if (channels.length !== this.channels?.length) {
      this.#frames = [];
      this.#shown = null;
    }
    this.description = description;
  }

  #cut(fromMs) {
    while (this.#frames.length && this.#frames.at(-1).ms >= fromMs) this.#frames.pop();
  }

  #pushFrame(message, arrivedMs) {
    const ms = toMs(message.presentationNs), index = Number(message.frame);
    if (message.flags & END) {
      this.#closed = true;
      return;
    }
    if (message.state & WITHDRAWN) {
      this.#frames = this.#frames.filter((frame) => frame.ms !== ms);
      return;
    }
    if (message.values === null || message.values.length !== this.channels?.length) {
      this.counters.undescribed++;
      return;
    }
    if (this.#newest !== null && index > this.#newest + 1) this.counters.jumps++;
    this.#newest = index;
    this.counters.frames++;
    this.#cut(ms); // frames come in order but behind a cut: a new one replaces an old one
    this.#frames.push({ ms, values: message.values, state: message.state });
    if (this.#frames.length > MOST_FRAMES) this.#frames.shift();
    const now = this.sessionMs(arrivedMs);
    if (now === null) return;
    if (ms < now - this.#delayMs) this.counters.late++;
    this.#noteNeed(now - ms + MARGIN_MS, message.publishNs);
  }

  // Frames of a turn are published at once: the first of them tells how late the turn was.
  #noteNeed(neededMs, batch) {
    if (batch === this.#batch) return;
    this.#batch = batch;
    this.#needs.push(neededMs);
    if (this.#needs.length > BATCHES) this.#needs.shift();
    const sorted = [...this.#needs].sort((a, b) => b - a);
    this.#neededMs = Math.min(Math.max(sorted[Math.min(TOO_LATE, sorted.length - 1)], 0), MOST_DELAY_MS);
  }

  // The session clock as this machine sees it (with the least delay of the way here), or null before a description.
  sessionMs(nowMs) {
    if (this.#serverAtSession === null || this.#localToServer === null) return null;
    return nowMs + this.#localToServer - this.#serverAtSession;
  }

  // The time of this machine at which something of a session time is shown or heard.
  localMs(sessionMs) {
    if (this.#serverAtSession === null || this.#localToServer === null) return null;
    return sessionMs + this.#serverAtSession - this.#localToServer + this.#delayMs;
  }

  // The face now: on the server's clock, as much later as jitter needs.  Never goes back in time.
  sample(nowMs) {
    const now = this.sessionMs(nowMs);
    if (now === null) return null;
    const passed = Number.isFinite(this.#sampledMs) ? Math.max(0, nowMs - this.#sampledMs) : 0;
    this.#sampledMs = nowMs;
    this.#delayMs = this.#neededMs >= this.#delayMs
      ? this.#neededMs : Math.max(this.#neededMs, this.#delayMs - SHRINK * passed);
    this.#playedMs = Math.max(this.#playedMs, now - this.#delayMs);
    return this.sampleAt(this.#playedMs);
  }

  // The face at a session time, for scenes whose clock is the agent's voice.
  sampleAt(sessionMs) {
    this.#askedMs = sessionMs;
    while (this.#frames.length && this.#frames[0].ms <= sessionMs) this.#shown = this.#frames.shift();
    const shown = this.#shown, next = this.#frames[0];
    if (shown === null) return null;
    const weight = Math.min(Math.max(1 - (sessionMs - shown.ms - HELD_MS) / EASE_MS, 0), 1);
    let share = 0;
    if (next) { // behind a gap the way to the next frame begins one frame before it
      const beginMs = Math.max(shown.ms, next.ms - FRAME_MS);
      share = Math.min(Math.max((sessionMs - beginMs) / (next.ms - beginMs), 0), 1);
    }
    if (this.#values?.length !== shown.values.length) this.#values = new Float32Array(shown.values.length);
    for (let i = 0; i < this.#values.length; i++) {
      const value = weight * shown.values[i];
      this.#values[i] = next ? value + share * (next.values[i] - value) : value;
    }
    return this.#values;
  }

  // A channel's place by name, -1 where there is none.
  index(channel) {
    return this.channels?.indexOf(channel) ?? -1;
  }
}
