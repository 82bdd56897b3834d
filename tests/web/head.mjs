// The jitter buffer (engine_plugins/web/head.js) in simulated time: run by tests/python/test_web_codec.py.
import assert from "node:assert/strict";
import { Head } from "../../engine_plugins/web/head.js";

const FRAME_MS = 40, TURN = 5, LEAD_MS = 40;
const ns = (ms) => BigInt(Math.round(ms * 1e6));

function message(magic, sequence, more = {}) {
  return { magic, head: "npc", epoch: 7, sequence: BigInt(sequence), flags: 1, state: 2, frame: 0n, presentationNs: 0n,
    publishNs: 0n, values: new Float32Array(0), json: null, ...more };
}

function frame(k, sequence, { value = k, publishMs = 0, ...more } = {}) {
  return message("VVM1", sequence, { frame: BigInt(k), presentationNs: ns(k * FRAME_MS), publishNs: ns(publishMs),
    values: Float32Array.of(value, 1), ...more });
}

function description(sequence, serverMs, sessionMs) {
  const json = JSON.stringify({ channels: ["a", "b"], units: ["1", "rad"] });
  return message("VVD1", sequence, { json, publishNs: ns(serverMs), presentationNs: ns(sessionMs) });
}

function filled(n = 10) { // server's clock = session clock + 1000 ms; this machine's clock = the server's
  const head = new Head("npc");
  head.push(description(0, 900, -100), 900);
  for (let k = 0; k < n; k++) head.push(frame(k, k, { publishMs: 900 }), 900);
  return head;
}

function plain() {
  const head = filled();
  assert.equal(new Head("x").sample(0), null);
  assert.deepEqual(head.channels, ["a", "b"]);
  assert.equal(head.index("b"), 1);
  assert.deepEqual(Array.from(head.sample(1000)), [0, 1]);
  for (const [at, expected] of [[1010, 0.25], [1020, 0.5], [1040, 1], [1100, 2.5], [1360, 9]]) {
    assert.ok(Math.abs(head.sample(at)[0] - expected) < 1e-6, `${at}: ${head.sample(at)[0]}`);
  }
  assert.equal(head.sample(1360 + 400)[0], 9, "held");
  assert.ok(Math.abs(head.sample(1360 + 600)[0] - 4.5) < 1e-5, "eased");
  assert.equal(head.sample(1e6)[0], 0, "neutral");
  assert.equal(head.counters.frames, 10);
  assert.equal(head.sample(1360)[0], 0, "never back in time");
}

function events() {
  const head = filled();
  assert.equal(head.push(frame(9, 9, { publishMs: 1000 }), 1000), false);
  assert.equal(head.counters.repeated, 1);
  head.sample(1080);
  head.push(message("VVC1", 0, { presentationNs: ns(3 * FRAME_MS), publishNs: ns(1080) }), 1080);
  assert.equal(head.sample(1200)[0], 2, "after a cut the last face is held");
  head.push(frame(6, 10, { value: 0, publishMs: 1200 }), 1200);
  head.push(frame(7, 11, { value: 0, publishMs: 1200, state: 3 }), 1200);
  assert.equal(head.sample(1239)[0] < 2 && head.sample(1239)[0] > 0, true, "and goes to the new one");
  assert.equal(head.sample(1240)[0], 0);
  head.push(frame(8, 15, { publishMs: 1240 }), 1240);
  assert.equal(head.counters.lost, 3);
  head.sample(1280);
  assert.equal(head.speaking, true);
  head.push(frame(9, 16, { publishMs: 1240 }), 1240);
  head.push(frame(9, 17, { state: 8 + 2, publishMs: 1240 }), 1240);
  assert.equal(head.sample(1360)[0], 8, "a withdrawn frame is not shown");
  head.push(frame(12, 18, { publishMs: 1400 }), 1400);
  assert.equal(head.counters.jumps, 1, "9 to 12; 9 to 6 was a cut");
  head.push(frame(20, 19, { values: null }), 1400);
  assert.equal(head.counters.undescribed, 1, "values without units");
  head.push(frame(13, 20, { flags: 3 }), 1400);
  assert.equal(head.closed, true);
  head.push({ ...description(0, 9000, 0), epoch: 8 }, 500);
  assert.equal(head.counters.restarts, 1);
  assert.equal(head.closed, false);
  assert.equal(head.sample(500), null, "a new life begins empty");
  head.push({ ...frame(0, 0, { publishMs: 9000, values: new Float32Array(3) }), epoch: 8 }, 500);
  assert.equal(head.counters.undescribed, 2, "three values for two channels");
  head.push({ ...frame(1, 1, { publishMs: 9000, value: 5 }), epoch: 8 }, 500);
  assert.equal(head.sample(540)[0], 5);
}

function bounded() {
  const head = filled(0);
  for (let k = 0; k < 100_000; k++) head.push(frame(k, k, { publishMs: 900 }), 900);
  assert.equal(head.sampleAt(0), null, "the oldest of 100,000 frames ahead were dropped");
  assert.equal(head.sampleAt((100_000 - 200) * FRAME_MS)[0], 100_000 - 200);
}

// Ten minutes of a lossy, jittery way with a clock that drifts; stalls of 500 ms; how far behind the voice is the face?
function network({ ppm, jitterMs, loss, seed }) {
  let state = seed;
  const random = () => (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
  const local = (serverMs) => serverMs * (1 + ppm * 1e-6) + 123_456;
  const head = new Head("npc"), arrivals = [];
  const minutes = 10, lastMs = minutes * 60_000;
  let stalled = 0, order = 0, n = { VVM1: 0, VVD1: 0 };
  for (let turn = 0; turn * TURN * FRAME_MS < lastMs; turn++) {
    const publishMs = turn * TURN * FRAME_MS - LEAD_MS + 1000; // server's clock; session 0 is its 1000
    if (turn % 300 === 150) stalled = publishMs + 500; // a minute apart
    const batch = Array.from({ length: TURN }, (_, i) => frame(turn * TURN + i, n.VVM1++, { publishMs }));
    if (turn % 5 === 0) batch.unshift(description(n.VVD1++, publishMs, publishMs - 1000));
    const at = Math.max(publishMs, stalled) + 3 - jitterMs * Math.log(1 - random());
    for (const one of batch) {
      order = Math.max(order, at); // one connection keeps the order
      if (random() >= loss) arrivals.push({ atMs: local(order), one });
    }
  }
  let next = 0, last = -Infinity, worst = 0, backwards = 0, afterStall = 0, mostDelay = 0;
  const lags = [];
  for (let serverMs = 1000; serverMs < lastMs; serverMs += 1000 / 60) {
    const nowMs = local(serverMs);
    while (next < arrivals.length && arrivals[next].atMs <= nowMs) head.push(arrivals[next].one, arrivals[next++].atMs);
    const face = head.sample(nowMs);
    if (face === null || serverMs < 3000) continue;
    const number = face[0] / face[1], lag = (serverMs - 1000) - number * FRAME_MS; // whatever it was eased by
    if (number < last - 0.01) backwards++;
    last = number;
    lags.push(lag);
    mostDelay = Math.max(mostDelay, head.delayMs);
    const sinceStall = (serverMs - (150 * TURN * FRAME_MS + 1000)) % 60_000;
    if (sinceStall > 2000 + 500) afterStall = Math.max(afterStall, lag);
  }
  lags.sort((a, b) => a - b);
  const at = (share) => Math.round(lags[Math.floor(share * (lags.length - 1))] * 10) / 10;
  return { ppm, jitterMs, loss, p50: at(0.5), p99: at(0.99), most: at(1), backwards, mostDelay: Math.round(mostDelay),
    afterStall: Math.round(afterStall), endDelay: Math.round(head.delayMs), counters: head.counters };
}

plain();
events();
bounded();
console.log(JSON.stringify([
  network({ ppm: 0, jitterMs: 0, loss: 0, seed: 1 }),
  network({ ppm: 200, jitterMs: 10, loss: 0.05, seed: 2 }),
  network({ ppm: -200, jitterMs: 10, loss: 0.05, seed: 3 }),
]));
