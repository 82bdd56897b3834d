// A page's way through visavis.js against a real relay: run by tests/end_to_end/test_web.py with the relay's URL.
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../engine_plugins/web/visavis.js";
import { MiniWebSocket } from "./socket.mjs";

const url = process.argv[2];
const told = { events: [], voice: 0, cuts: 0 };
const stream = connect(url, { WebSocket: MiniWebSocket });
for (const type of ["open", "close", "head", "restart"]) stream.addEventListener(type, () => told.events.push(type));
stream.addEventListener("voice", ({ detail }) => told.voice += detail.message.values.length);
stream.addEventListener("cut", () => told.cuts++);

async function until(condition, what) {
  for (let i = 0; i < 1500; i++) {
    if (await condition()) return;
    await sleep(10);
  }
  throw new Error(`waited too long for ${what}: ${JSON.stringify([stream.problem, stream.counters, told])}`);
}

await until(() => stream.head("npc")?.channels, "the description");
const head = stream.head("npc");
const [jaw, pitch, smile] = ["jawOpen", "headPitch", "mouthSmileLeft"].map((name) => head.index(name));
const seen = { jaw: 0, pitch: 0, smile: 0 };
const face = new Float32Array(55);
face[smile] = 0.75;
const voice = Float32Array.from({ length: 4800 }, (_, i) => 0.5 * Math.sign(Math.sin(i * 0.3)));
await until(async () => {
  stream.sendUserVoice("npc", voice, 48_000);
  stream.sendUserFace("npc", face);
  const values = head.sample(performance.now());
  if (values) {
    seen.jaw = Math.max(seen.jaw, values[jaw]);
    seen.pitch = Math.max(seen.pitch, values[pitch]);
    seen.smile = Math.max(seen.smile, values[smile]);
  }
  return seen.pitch > 0.4 && seen.smile > 0.7 && seen.jaw > 0.4;
}, "voice and face to act");
const dials = (await stream.setDials("npc", { temperature: 0.5 })).dials.temperature.value;
const refusals = [];
for (const [name, members] of [["close", { head: "npc" }], ["open", { head: "x" }], ["dials", { head: "nobody" }]]) {
  await stream.request(name, members).catch((error) => refusals.push(error.message));
}
await stream.cancel("npc");
await until(() => told.cuts === 1, "the cut");
console.log(JSON.stringify({ ...told, seen, dials, refusals, counters: stream.counters, head: head.counters }));
stream.close();
