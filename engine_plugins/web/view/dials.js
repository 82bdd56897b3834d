// The dials of a head as sliders: from its description, and back as requests.

import { element } from "./parts.js";

const SEND_MS = 60; // at most one request in so long
const FIRST = ["emotion.joy", "emotion.sadness", "emotion.anger", "emotion.surprise", "listening.head", "speaking.mouth", "eyes.gaze", "eyes.blinks", "temperature"];

export class Dials {
  // `send(head, {name: value})` gives a promise; `failed(error)` shows what went wrong.
  constructor(parent, send, failed) {
    this.#send = send;
    this.#failed = failed;
    this.#list = element("div");
    parent.append(this.#list, element("p", { className: "row" },
      element("button", { type: "button", onclick: () => this.#reset() }, "All back to their start")));
  }

  #send; #failed; #list; #rows = new Map(); #head = null; #waiting = {}; #timer = null; #dials = {};

  // What the head's description says; sliders that are being moved stay where they are.
  show(head, dials) {
    const names = Object.keys(dials).sort((a, b) => order(a) - order(b));
    if (head !== this.#head || names.join() !== [...this.#rows.keys()].join()) {
      this.#head = head;
      this.#waiting = {};
      this.#rows = new Map(names.map((name) => [name, this.#row(name, dials[name])]));
      this.#list.replaceChildren(...[...this.#rows.values()].map(({ row }) => row));
    }
    this.#dials = dials;
    for (const [name, dial] of Object.entries(dials)) {
      const { input } = this.#rows.get(name);
      if (name in this.#waiting || document.activeElement === input && input.matches(":active")) continue;
      input.value = dial.value;
      this.#mark(name, dial.value);
    }
  }

  #row(name, { min, max, default: start }) {
    const output = element("output");
    const input = element("input", { type: "range", min, max, step: (max - min) / 200, ondblclick: () => this.#set(name, start),
      oninput: () => this.#set(name, Number(input.value)), "aria-label": name });
    return { input, output, row: element("label", { className: "dial", title: `${min} to ${max}, starts at ${start}; double-click: back` },
      name, input, output) };
  }

  #mark(name, value) {
    const { output, row } = this.#rows.get(name);
    output.textContent = value.toFixed(2);
    row.classList.toggle("changed", Math.abs(value - this.#dials[name].default) > 1e-6);
  }

  #set(name, value) {
    this.#rows.get(name).input.value = value;
    this.#mark(name, value);
    this.#waiting[name] = value;
    this.#timer ??= setTimeout(() => this.#flush(), SEND_MS);
  }

  #reset() {
    for (const [name, dial] of Object.entries(this.#dials)) if (dial.value !== dial.default) this.#set(name, dial.default);
  }

  #flush() {
    const set = this.#waiting;
    this.#waiting = {};
    this.#timer = null;
    this.#send(this.#head, set).catch(this.#failed);
  }
}

function order(name) {
  const place = FIRST.indexOf(name);
  return place < 0 ? FIRST.length : place;
}
