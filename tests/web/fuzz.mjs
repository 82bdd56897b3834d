// Mutated messages through the JavaScript decoder and the jitter buffer: node fuzz.mjs N SEED < {"packets": [hex, ...]}
// A message is taken and coherent, or refused with a WireError; nothing else may happen.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Head } from "../../engine_plugins/web/head.js";
import { decode, HEADER_BYTES, WireError } from "../../engine_plugins/web/wire.js";

const [n, seed] = process.argv.slice(2).map(Number);
const packets = JSON.parse(readFileSync(0, "utf8")).packets.map((hex) => Buffer.from(hex, "hex"));
const FIELDS = [ // offset, bytes, values that matter
  [0, 4, ["VVM1", "VVA1", "VVC1", "VVD1", "VVU1", "VVG1", "VVT1"].map((magic) => Buffer.from(magic).readUInt32LE())],
  [20, 2, [0, 79, 80, 84, 88, 65535]], [22, 2, [0, 1, 2, 3]], [64, 4, [0, 1, 0xffffffff]], [68, 2, [0, 1, 2, 8, 65535]],
  [70, 2, [0, 1, 2, 55, 65535]], [72, 1, [0, 1, 2, 3, 4, 5, 255]], [76, 4, [0, 25, 3999, 4000, 16000, 384001]],
];
let state = seed >>> 0 || 1;
const random = (below) => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
};

function mutated(packet) {
  let raw = Buffer.from(packet);
  for (let i = 1 + random(2); i > 0; i--) {
    const how = random(14);
    if (how < 6 && raw.length) raw[random(raw.length)] = [0, 1, 0x7f, 0x80, 0xff, random(256)][random(6)];
    else if (how < 12 && raw.length >= HEADER_BYTES) {
      const [at, bytes, values] = FIELDS[random(FIELDS.length)];
      raw.writeUIntLE(values[random(values.length)], at, bytes);
    } else if (how === 12) raw = raw.subarray(0, random(raw.length + 1));
    else raw = Buffer.concat([raw, Buffer.from(Array.from({ length: 1 + random(8) }, () => random(256)))]);
  }
  return raw;
}

const heads = new Map();
let taken = 0, pushed = 0;
for (let i = 0; i < n; i++) {
  const packet = mutated(packets[random(packets.length)]);
  try {
    const units = random(4) ? null : Array(random(60)).fill(random(2) ? "1" : "rad");
    const message = decode(packet, units);
    taken++;
    assert.ok(message.head.length >= 1 && message.head.length <= 16);
    if (message.values?.length && message.magic.match(/VV[MT]1/)) assert.equal(message.values.length, message.channels);
    assert.ok(!message.values || message.values.every(Number.isFinite));
    if (heads.size > 50) heads.clear();
    if (!heads.has(message.head)) heads.set(message.head, new Head(message.head));
    const head = heads.get(message.head);
    pushed += head.push(message, i);
    const face = head.sample(i + random(100));
    assert.ok(face === null || face.every((value) => !Number.isNaN(value)));
  } catch (error) {
    if (!(error instanceof WireError)) {
      console.error(`seed ${seed}, message ${i}: ${packet.toString("hex")}`);
      throw error;
    }
  }
}
console.log(JSON.stringify({ n, taken, pushed }));
