// Small pieces of the page: elements, buttons with a key, panels, canvases that are as sharp as the screen.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// A button that is pressed by its key, too.
export function keyButton(keys, label, key, title, action) {
  const button = element("button", { type: "button", title, onclick: action }, label, element("kbd", {}, key.toUpperCase()));
  keys.set(key, { action: () => button.disabled || action(), title });
  return button;
}

export function press(button, on) {
  button.setAttribute("aria-pressed", String(on));
}

export function panel(parent, title, open = true) {
  const details = element("details", { open }, element("summary", {}, element("h2", {}, title)));
  parent.append(details);
  return details;
}

// Rows of names and numbers, written anew only where they change.
export class Table {
  constructor(parent, names) {
    const table = element("table");
    this.#cells = names.map(([name, title = ""]) => {
      const cell = element("td"), row = element("tr", { title }, element("td", {}, name), cell);
      table.append(row);
      return { cell, row, text: "" };
    });
    parent.append(table);
  }

  #cells;

  show(values) {
    values.forEach((value, i) => {
      const [text, bad = false] = Array.isArray(value) ? value : [value], entry = this.#cells[i];
      if (entry.text === text) return;
      entry.text = entry.cell.textContent = text;
      entry.row.classList.toggle("bad", bad);
    });
  }
}

export const COLOURS = { agent: "#e0a66a", user: "#7fb4a8", other: "#9a9ee8", quiet: "#97a1af", line: "#262b33", text: "#e6e9ee", bad: "#e0746a" };

// A canvas to paint on in CSS pixels; `begin` clears it and gives the painter with width and height.
export class Sheet {
  constructor(parent, height, label) {
    this.canvas = element("canvas", { role: "img", "aria-label": label });
    this.canvas.style.height = `${height}px`;
    parent.append(this.canvas);
    this.height = height;
  }

  begin() {
    const { canvas, height } = this, ratio = Math.min(devicePixelRatio, 2), width = canvas.clientWidth;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const paint = canvas.getContext("2d");
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint.clearRect(0, 0, width, height);
    paint.font = "11px system-ui, sans-serif";
    return { paint, width, height };
  }

  get isSeen() { return this.canvas.offsetParent !== null; }
}

export const ms = (value) => (value === null || value === undefined ? "-" : `${value.toFixed(value < 9.95 ? 1 : 0)} ms`);

// Every channel of a face as a bar; angles from the middle.
export function drawBars(sheet, channels, units, face) {
  const { paint, width, height } = sheet.begin(), columns = 2, rows = Math.ceil(channels.length / columns);
  const step = height / rows, wide = width / columns;
  paint.font = `${Math.min(11, step * 0.85)}px system-ui, sans-serif`;
  channels.forEach((name, i) => {
    const left = Math.floor(i / rows) * wide, top = (i % rows) * step, room = wide * 0.36, at = left + wide * 0.6;
    const value = face[i] ?? 0, isAngle = units[i] === "rad";
    paint.fillStyle = Math.abs(value) > 0.02 ? COLOURS.text : COLOURS.quiet;
    paint.fillText(name, left, top + step * 0.75, wide * 0.58);
    paint.fillStyle = "#0d0f12";
    paint.fillRect(at, top + 2, room, step - 4);
    paint.fillStyle = isAngle ? COLOURS.other : COLOURS.agent;
    if (isAngle) paint.fillRect(at + room / 2, top + 2, (Math.max(-1, Math.min(1, value / 0.8)) * room) / 2, step - 4);
    else paint.fillRect(at, top + 2, Math.min(1, value) * room, step - 4);
  });
}

// A voice as bars of its loudness between two times; `peakOf(fromMs, toMs)`.
export function drawVoice(paint, { left = 0, top, width, height, fromMs, toMs, colour, peakOf }) {
  const middle = top + height / 2, step = 3;
  paint.fillStyle = colour;
  for (let x = 0; x < width; x += step) {
    const begin = fromMs + (x / width) * (toMs - fromMs), end = fromMs + ((x + step) / width) * (toMs - fromMs);
    const size = Math.max(0.5, (height / 2) * Math.min(1, Math.sqrt(peakOf(begin, end))));
    paint.fillRect(left + x, middle - size, step - 1, 2 * size);
  }
}
