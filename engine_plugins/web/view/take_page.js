// The take browser: scrub a take with its curves, head and voices following; two takes side by side with differences.

import { drawBars, element, keyButton, ms, panel, press, Sheet, Table } from "./parts.js";
import { Player } from "./player.js";
import { Difference, Take } from "./take.js";
import { curveColour, Timeline } from "./timeline.js";

const LETTERS = ["A", "B"];
const FIRST = ["jawOpen", "mouthSmileLeft", "headPitch"];
const SPEEDS = [1, 0.5, 0.25];
const SLOW_MS = 120; // between new numbers

export class TakePage {
  static async open({ about, ...rest }) {
    return new TakePage({ ...rest, takes: await Promise.all(about.takes.map((each, number) => Take.load(each, number))) });
  }

  constructor({ stage, say, keys, places, takes }) {
    Object.assign(this, { stage, takes, drawn: 0, sound: 0 });
    this.#say = say;
    this.difference = takes.length > 1 ? new Difference(...takes) : null;
    this.player = new Player(Math.max(...takes.map((take) => take.seconds)));
    this.timeline = new Timeline(places.strip, takes, this.difference, (seconds) => this.seek(seconds));
    this.timeline.chosen = this.#firstChannels();
    this.actors = takes.map((take, i) => stage.add(this.#title(i)));
    this.plates = takes.map(() => places.plates.appendChild(element("div", { className: "plate" })));
    takes.forEach((take, i) => places.heads.append(element("span", { className: i ? "other" : "agent" }, this.#title(i))));
    this.#buttons(keys, places.actions);
    this.#panels(places.panels);
    setInterval(() => this.#slow(), SLOW_MS);
    this.#slow();
  }

  #say; #play; #speed; #bars; #where; #nowAt = -1; #shared = {};

  get chosen() { return this.actors[0]?.name; }

  #title(i) { return this.takes.length > 1 ? `${LETTERS[i]}: ${this.takes[i].about.name}` : this.takes[i].about.name; }

  #firstChannels() {
    const ranked = this.difference?.ranking().filter(([, rms]) => rms > 1e-6).slice(0, 3).map(([name]) => name) ?? [];
    return (ranked.length ? ranked : FIRST).filter((name) => this.takes[0].index(name) >= 0);
  }

  // ------------------------------------------------------------------------------------------------------- controls

  #buttons(keys, place) {
    const add = (...rest) => place.appendChild(keyButton(keys, ...rest));
    this.#play = keyButton(keys, "Play", " ", "Play or pause", () => this.toggle());
    this.#play.querySelector("kbd").textContent = "space";
    place.append(this.#play);
    this.#speed = add("1x", "v", "Slower: 1, 0.5, 0.25 times", () => this.#slower());
    if (this.difference) {
      this.#shared.sound = add("Sound of A", "b", "Hear the other take", () => this.hear(1 - this.sound));
      add("Next difference", "n", "Go to the next moment where the takes differ most", () => this.#toDifference(1));
      add("Previous", "p", "Go to the one before", () => this.#toDifference(-1));
    }
    const step = (seconds) => ({ action: ({ shiftKey }) => this.seek(this.player.time + seconds * (shiftKey ? 25 : 1)) });
    keys.set("ArrowLeft", { ...step(-0.04), title: "a frame back; with shift a second" });
    keys.set("ArrowRight", { ...step(0.04), title: "a frame on; with shift a second" });
    keys.set("Home", { action: () => this.seek(0), title: "to the beginning" });
    keys.set("End", { action: () => this.seek(this.player.seconds), title: "to the end" });
    keys.set("+", { action: () => this.timeline.zoom(1 / 1.5), title: "less time, larger" });
    keys.set("-", { action: () => this.timeline.zoom(1.5), title: "more time" });
  }

  async toggle() {
    if (this.player.playing) this.player.pause();
    else await this.#start();
    this.#nowAt = -1;
  }

  async #start() {
    const take = this.takes[this.sound];
    try {
      await this.player.play(take.voices, take.about.rate);
    } catch (error) {
      this.#say(`the voices cannot be played: ${error.message}`);
    }
  }

  // Goes to a moment; what was playing plays on from there.
  seek(seconds) {
    const playing = this.player.playing;
    this.player.seek(seconds);
    if (playing) this.#start();
  }

  async hear(number) {
    this.sound = this.timeline.voiceOf = number;
    if (this.#shared.sound) this.#shared.sound.firstChild.textContent = `Sound of ${LETTERS[number]}`;
    if (this.player.playing) await this.#start();
  }

  #slower() {
    this.player.speed = SPEEDS[(SPEEDS.indexOf(this.player.speed) + 1) % SPEEDS.length];
    this.#speed.firstChild.textContent = `${this.player.speed}x`;
    this.seek(this.player.time);
  }

  #toDifference(direction) {
    const found = this.difference.peakFrom(this.takes[0].frameAt(this.player.time), direction);
    if (found === null) this.#say(`no ${direction > 0 ? "later" : "earlier"} moment where the takes differ more than around it`, { hint: true });
    else this.seek(found / this.takes[0].about.frame_rate);
  }

  // ------------------------------------------------------------------------------------------------------- panels

  #panels(place) {
    this.#where = new Table(panel(place, "Now"), [["time"], ["frame"], ["who speaks"], ["turn took", "Speech encoder + backbone + denoiser"], ["steps, action"]]);
    this.#channels(panel(place, this.difference ? "Channels, by difference" : "Channels"));
    this.takes.forEach((take, i) => {
      const { facts, file, events, turns } = take.about, rows = { file, ...facts, "dials, barge-ins": events.length, "late turns": turns.filter(({ action }) => action !== "in time").length };
      const given = Object.entries(rows).filter(([, value]) => value !== "" && value !== null);
      const details = panel(place, this.#title(i), false);
      new Table(details, given.map(([name]) => [name])).show(given.map(([, value]) => String(value)));
      for (const { time_s: at, kind, name, value } of events.slice(0, 100)) {
        details.append(element("button", { type: "button", onclick: () => this.seek(at) }, `${at.toFixed(2)} s ${kind} ${name} ${+value.toFixed(2)}`));
      }
    });
    this.#bars = new Sheet(panel(place, "Face", false), 400, "All channels of the take");
  }

  #channels(place) {
    const entries = this.difference ? this.difference.ranking() : this.takes[0].channels.map((name) => [name, null]);
    const most = this.difference?.largestRms ?? 0, list = element("ul", { className: "list" });
    for (const [name, rms] of entries) {
      const box = element("input", { type: "checkbox", checked: this.timeline.chosen.includes(name), onchange: () => this.choose(name, box.checked) });
      const label = element("label", {}, box, element("span", {}, name), element("span", {}, rms === null ? "" : rms.toFixed(4)));
      if (rms) label.style.background = `linear-gradient(90deg, #9a9ee822 ${(100 * rms) / most}%, transparent 0)`;
      list.append(element("li", {}, label));
    }
    place.append(list);
    this.#shared.list = list;
    this.#colourList();
  }

  choose(name, on) {
    const { timeline } = this;
    timeline.chosen = on ? [...timeline.chosen.filter((each) => each !== name), name] : timeline.chosen.filter((each) => each !== name);
    this.#colourList();
  }

  #colourList() {
    for (const label of this.#shared.list.querySelectorAll("label")) {
      const name = label.children[1].textContent, place = this.timeline.chosen.indexOf(name);
      label.children[1].style.color = place < 0 ? "" : curveColour(place);
    }
  }

  // ------------------------------------------------------------------------------------------------------ pictures

  draw() {
    const seconds = this.player.time;
    this.takes.forEach((take, i) => {
      if (seconds !== this.#nowAt) this.actors[i].set(take.faceAt(seconds), take.channels);
    });
    this.#nowAt = seconds;
    this.timeline.follow(seconds, this.player.playing);
    this.stage.draw();
    this.timeline.draw(seconds);
    if (this.#bars.isSeen) drawBars(this.#bars, this.takes[0].channels, this.takes[0].about.units, this.takes[0].faceAt(seconds));
    this.drawn++;
  }

  #slow() {
    const seconds = this.player.time, [take] = this.takes, turn = take.turnAt(seconds);
    press(this.#play, this.player.playing);
    this.#play.firstChild.textContent = this.player.playing ? "Pause" : "Play";
    this.#where.show([
      `${(take.about.from_s + seconds).toFixed(2)} s of ${(take.about.from_s + this.player.seconds).toFixed(2)} s`, String(take.frameAt(seconds)),
      [take.speaks(seconds) && "the head", take.peak("user", seconds - 0.2, seconds) > 10 ** (-45 / 20) && "the user"].filter(Boolean).join(" and ") || "nobody",
      turn ? ms(turn.stage_ms.reduce((sum, value) => sum + value, 0)) : "-",
      turn ? [`${turn.steps}, ${turn.action}${turn.dropped ? `, ${turn.dropped} dropped` : ""}`, turn.action !== "in time"] : "-",
    ]);
    this.#placePlates(seconds);
  }

  #placePlates(seconds) {
    const scale = this.stage.canvas.clientWidth / this.stage.canvas.width;
    this.stage.panels().forEach(([actor, left, bottom, width], i) => {
      const take = this.takes[i], speaks = take.speaks(seconds);
      this.plates[i].replaceChildren(element("b", {}, actor.name), take.knowsSpeakers ? (speaks ? " speaks" : " listens") : "");
      this.plates[i].classList.toggle("speaks", speaks);
      Object.assign(this.plates[i].style, { left: `${(left + width / 2) * scale}px`, bottom: `${bottom * scale + 12}px` });
    });
  }
}
