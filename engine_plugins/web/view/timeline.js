// The take browser's picture of time: the whole take, both voices, chosen curves, and how two takes differ.

import { COLOURS, drawVoice, Sheet } from "./parts.js";

const OVERVIEW = 34, VOICE = 40, GAP = 6; // pixels high
const LEAST_S = 0.4, HANDLE = 0.35; // shortest window; share of it that stays ahead while playing
const CURVES = ["#e0a66a", "#7fb4a8", "#d47fa6", "#9a9ee8", "#b9c26a", "#6ab0e0", "#e0746a", "#c8ccd4"];

export const curveColour = (place) => CURVES[place % CURVES.length];

export class Timeline {
  // `seek(seconds)` is called while the user scrubs.
  constructor(parent, takes, difference, seek) {
    Object.assign(this, { takes, difference, chosen: [], voiceOf: 0 });
    this.seconds = Math.max(...takes.map((take) => take.seconds));
    this.windowS = Math.min(10, this.seconds);
    this.fromS = 0;
    this.sheet = new Sheet(parent, difference ? 340 : 270, "The take over time: click or drag to go to a moment");
    this.sheet.canvas.style.cursor = "crosshair";
    this.#seek = seek;
    this.#listen(this.sheet.canvas);
  }

  #seek; #range = new Map();

  #listen(canvas) {
    let dragging = false;
    const go = ({ offsetX, offsetY }) => {
      const share = offsetX / canvas.clientWidth;
      this.#seek(offsetY < OVERVIEW ? share * this.seconds : this.fromS + share * this.windowS);
    };
    canvas.style.touchAction = "pan-y";
    canvas.addEventListener("pointerdown", (event) => { dragging = true; canvas.setPointerCapture(event.pointerId); go(event); });
    canvas.addEventListener("pointermove", (event) => dragging && go(event));
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, () => { dragging = false; });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const share = event.offsetX / canvas.clientWidth;
      if (event.shiftKey) this.fromS += (event.deltaY / 500) * this.windowS;
      else this.zoom(Math.exp(event.deltaY * 0.002), share);
      this.#clamp();
    }, { passive: false });
  }

  // Shows more (factor above 1) or less time; what stands at that share of the width stays there.
  zoom(factor, share = 0.5) {
    const at = this.fromS + share * this.windowS;
    this.windowS = Math.min(Math.max(this.windowS * factor, LEAST_S), this.seconds);
    this.fromS = at - share * this.windowS;
    this.#clamp();
  }

  #clamp() {
    this.fromS = Math.min(Math.max(this.fromS, 0), Math.max(0, this.seconds - this.windowS));
  }

  // Moves the window so that a time is in it.
  follow(seconds, playing) {
    const share = (seconds - this.fromS) / this.windowS;
    if (share < 0 || share > 1) this.fromS = seconds - 0.1 * this.windowS;
    else if (playing && share > 1 - HANDLE) this.fromS = seconds - (1 - HANDLE) * this.windowS;
    this.#clamp();
  }

  draw(seconds) {
    const { paint, width, height } = this.sheet.begin(), take = this.takes[this.voiceOf];
    this.#overview(paint, width, take, seconds);
    let top = OVERVIEW + GAP;
    for (const who of ["user", "agent"]) {
      drawVoice(paint, { top, width, height: VOICE, fromMs: this.fromS, toMs: this.fromS + this.windowS, colour: COLOURS[who],
        peakOf: (a, b) => take.peak(who, a, b) });
      paint.fillStyle = COLOURS.quiet;
      paint.fillText(take.has(who) ? who : `${who}: no voice`, 2, top + 10);
      top += VOICE + GAP;
    }
    const rest = height - top, curves = this.difference ? Math.round(rest * 0.6) : rest;
    this.#states(paint, width, top - 3);
    this.#curves(paint, width, top, curves - GAP);
    if (this.difference) this.#differences(paint, width, top + curves, rest - curves);
    this.#events(paint, width, top, height);
    this.#line(paint, this.#x(seconds, width), OVERVIEW, height, COLOURS.text);
  }

  #x(seconds, width) { return ((seconds - this.fromS) / this.windowS) * width; }

  #line(paint, x, top, bottom, colour) {
    paint.fillStyle = colour;
    paint.fillRect(Math.round(x), top, 1, bottom - top);
  }

  #overview(paint, width, take, seconds) {
    const all = { width, fromMs: 0, toMs: this.seconds, height: OVERVIEW / 2 - 2 };
    paint.fillStyle = "#23313a";
    paint.fillRect((this.fromS / this.seconds) * width, 0, Math.max(2, (this.windowS / this.seconds) * width), OVERVIEW);
    drawVoice(paint, { ...all, top: 0, colour: COLOURS.user, peakOf: (a, b) => take.peak("user", a, b) });
    drawVoice(paint, { ...all, top: OVERVIEW / 2, colour: COLOURS.agent, peakOf: (a, b) => take.peak("agent", a, b) });
    for (const turn of take.about.turns) {
      if (turn.action !== "in time") this.#line(paint, (turn.time_s / this.seconds) * width, 0, OVERVIEW, COLOURS.bad);
    }
    this.#line(paint, (seconds / this.seconds) * width, 0, OVERVIEW, COLOURS.text);
  }

  // A line where the head speaks.
  #states(paint, width, top) {
    const take = this.takes[this.voiceOf], frameS = 1 / take.about.frame_rate;
    paint.fillStyle = COLOURS.agent;
    for (let frame = take.frameAt(this.fromS); frame <= take.frameAt(this.fromS + this.windowS); frame++) {
      if (take.speaking[frame]) paint.fillRect(this.#x(frame * frameS, width), top, (width * frameS) / this.windowS + 0.5, 2);
    }
  }

  #curves(paint, width, top, height) {
    paint.fillStyle = "#0d0f12";
    paint.fillRect(0, top, width, height);
    this.chosen.forEach((name, place) => this.takes.forEach((take, number) => {
      const channel = take.index(name);
      if (channel < 0) return;
      const most = this.#most(name), [low, high] = take.about.units[channel] === "rad" ? [-most, most] : [0, most];
      this.#curve(paint, take, width, (frame) => take.value(frame, channel), (value) => top + height - 3 - ((value - low) / (high - low)) * (height - 6),
        curveColour(place), number > 0);
    }));
    paint.fillStyle = COLOURS.quiet;
    paint.fillText(this.takes.length > 1 ? "A solid, B dashed" : "", width - 110, top + 12);
  }

  // A channel's largest value in all takes fills the height.
  #most(name) {
    if (!this.#range.has(name)) {
      let most = 0.1;
      for (const take of this.takes) {
        const channel = take.index(name);
        for (let frame = 0; channel >= 0 && frame < take.nFrames; frame++) most = Math.max(most, Math.abs(take.value(frame, channel)) || 0);
      }
      this.#range.set(name, most);
    }
    return this.#range.get(name);
  }

  #curve(paint, take, width, valueAt, yOf, colour, dashed) {
    const rate = take.about.frame_rate, first = take.frameAt(this.fromS), last = take.frameAt(this.fromS + this.windowS + 2 / rate);
    const stride = Math.max(1, Math.floor((last - first) / (2 * width)));
    paint.strokeStyle = colour;
    paint.lineWidth = 1.4;
    paint.setLineDash(dashed ? [4, 3] : []);
    paint.beginPath();
    let pen = false;
    for (let frame = first; frame <= last; frame += stride) {
      const value = valueAt(frame);
      if (Number.isNaN(value)) pen = false;
      else if (pen) paint.lineTo(this.#x(frame / rate, width), yOf(value));
      else {
        paint.moveTo(this.#x(frame / rate, width), yOf(value));
        pen = true;
      }
    }
    paint.stroke();
    paint.setLineDash([]);
  }

  #differences(paint, width, top, height) {
    const { difference } = this, middle = top + height / 2;
    paint.fillStyle = "#0d0f12";
    paint.fillRect(0, top, width, height);
    this.#line(paint, 0, top, top, COLOURS.line);
    paint.fillStyle = COLOURS.line;
    paint.fillRect(0, middle, width, 1);
    const shown = this.chosen.map((name) => difference.channels.indexOf(name));
    let most = 0.02;
    for (const i of shown) {
      for (let frame = this.takes[0].frameAt(this.fromS); i >= 0 && frame < difference.nFrames && frame / 25 < this.fromS + this.windowS; frame++) {
        most = Math.max(most, Math.abs(difference.at(frame, i)) || 0);
      }
    }
    shown.forEach((i, place) => i >= 0 && this.#curve(paint, this.takes[0], width,
      (frame) => (frame < difference.nFrames ? difference.at(frame, i) : NaN), (value) => middle - (value / most) * (height / 2 - 3), curveColour(place), false));
    paint.fillStyle = COLOURS.quiet;
    paint.fillText(`A - B, full height ${most.toFixed(2)}`, 2, top + 12);
  }

  // Dials, barge-ins and late turns as marks.
  #events(paint, width, top, bottom) {
    this.takes.forEach((take, number) => {
      const marks = [...take.about.events.map(({ time_s: at, kind, name, value }) => [at, kind === "cancel" ? "barge-in" : `${name || kind} ${+value.toFixed(2)}`]),
        ...take.about.turns.filter(({ action }) => action !== "in time").map(({ time_s: at, action }) => [at, action])];
      for (const [at, text] of marks) {
        if (at < this.fromS || at > this.fromS + this.windowS) continue;
        this.#line(paint, this.#x(at, width), top, bottom, COLOURS.bad);
        paint.fillText(text, this.#x(at, width) + 3, top + 12 + 12 * number);
      }
    });
  }
}
