// Starts the page: the heads of a server, or takes.  `?quality=high|medium|low` (default: what the machine draws in time).

import { LivePage } from "./live.js";
import { moveCamera } from "./camera.js";
import { element } from "./parts.js";
import { Stage } from "./stage.js";
import { TakePage } from "./take_page.js";

const MESSAGE_MS = 8000;
const TOO_SLOW_MS = 40, PATIENCE = 60; // pictures that take so long, so many of them: a lower quality
const find = (id) => document.getElementById(id);
const message = find("message"), keys = new Map();
let timer = null, lasting = "";

// Shows a text for a while, or until the next lasting one.
function say(text, { lasting: stays = false, hint = false } = {}) {
  if (stays) lasting = text;
  clearTimeout(timer);
  message.textContent = text || lasting;
  message.hidden = !(text || lasting);
  message.classList.toggle("hint", hint);
  if (!stays && text) timer = setTimeout(() => say(""), MESSAGE_MS);
}

function help() {
  const named = [...keys].filter(([, { title }]) => title);
  const rows = [...named.map(([key, { title }]) => [key === " " ? "space" : key, title]),
    ["arrows, + - 0", "on the picture: turn the camera, come nearer, go back to the front; mouse and fingers do, too"], ["1 to 9", "choose a head"]];
  find("help").replaceChildren(element("h2", {}, "Keys"), element("table", {}, ...rows.map(([key, title]) =>
    element("tr", {}, element("td", {}, key), element("td", {}, title)))),
    element("form", { method: "dialog" }, element("p", {}, element("button", {}, "Close"))));
  find("help").showModal();
}

function takeKeys(event) {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox";
  if (event.ctrlKey || event.metaKey || event.altKey || find("help").open) return;
  const entry = keys.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
  if (!entry || (typing && event.target.type !== "range") || (event.target.tagName === "BUTTON" && event.key === " ")) return;
  event.preventDefault();
  entry.action(event);
}

// The quality: as asked for, or high; a machine that draws in software begins low.
function firstQuality() {
  const asked = new URLSearchParams(location.search).get("quality");
  if (asked in { high: 1, medium: 1, low: 1 }) return [asked, true];
  return [Stage.drawsInSoftware() ? "low" : "high", false];
}

// Goes down a step where pictures come too slowly, and says so.
function watchQuality(stage) {
  let slow = 0, last = null;
  return (nowMs) => {
    const tookMs = last === null ? 0 : nowMs - last;
    last = nowMs;
    slow = tookMs > TOO_SLOW_MS && tookMs < 1000 ? slow + 1 : Math.max(0, slow - 2);
    if (slow < PATIENCE || stage.quality.name === "low") return;
    slow = 0;
    stage.lower();
    say(`this machine draws slowly: quality is now ${stage.quality.name} (?quality=high keeps it)`, { hint: true });
  };
}

async function start() {
  const about = await (await fetch("/about.json")).json(), [quality, fixed] = firstQuality();
  const stage = await Stage.open(find("picture"), quality), watch = fixed ? () => {} : watchQuality(stage);
  const places = Object.fromEntries(["heads", "actions", "plates", "strip", "panels"].map((id) => [id, find(id)]));
  const given = { stage, say, keys, places, about };
  const page = about.takes.length ? await TakePage.open(given) : new LivePage(given);
  moveCamera(stage, () => stage.actors.get(page.chosen) ?? [...stage.actors.values()][0]);
  keys.set("?", { action: help, title: "this list" });
  find("actions").append(element("button", { type: "button", onclick: help, title: "Keys", "aria-label": "Keys" }, "?"));
  addEventListener("keydown", takeKeys);
  find("picture").addEventListener("webglcontextlost", () => say("the graphics driver took the picture away: load the page again", { lasting: true }));
  const frame = (nowMs) => {
    requestAnimationFrame(frame);
    watch(nowMs);
    page.draw(performance.now()); // the frame has a time of its own, but on a busy machine it is long past
  };
  requestAnimationFrame(frame);
  Object.assign(window, { visavis: page }); // for the console, and for tests
}

start().catch((error) => {
  say(error.message, { lasting: true });
  throw error;
});
