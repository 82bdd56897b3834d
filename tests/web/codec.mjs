// Reads {"golden": [...], "malformed": [...], "inputs": [...], "packets": [hex, ...]} from stdin and says what the
// JavaScript codec makes of each: run by tests/python/test_web_codec.py.
import { readFileSync } from "node:fs";
import { decode, descriptionOf, encodeFace, encodeVoice, schemaHash, WireError } from "../../engine_plugins/web/wire.js";

const bytes = (hex) => new Uint8Array(hex.match(/../g)?.map((pair) => parseInt(pair, 16)) ?? []);
const hex = (raw) => Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");

function told(message) {
  const { schemaHash: hash, sequence, frame, presentationNs, publishNs, values, ...rest } = message;
  return { ...rest, schema_hash: `0x${hash.toString(16).padStart(16, "0")}`, sequence: String(sequence),
    frame: String(frame), presentation_ns: String(presentationNs), publish_ns: String(publishNs),
    values: values && Array.from(values) };
}

function tried(packet, units = null) {
  try {
    return told(decode(packet, units));
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { refused: error.message };
  }
}

function encoded({ magic, head, values, rate, units, names, options }) {
  const { sequence, frame, publish_ns: publishNs, time_ns: timeNs, ...rest } = options;
  const common = { ...rest, sequence: BigInt(sequence), frame: BigInt(frame), publishNs: BigInt(publishNs),
    timeNs: timeNs === null ? null : BigInt(timeNs) };
  return hex(magic === "VVT1" ? encodeFace(head, values, names, units, { ...common, rate })
    : encodeVoice(magic, head, values, rate, common));
}

const task = JSON.parse(readFileSync(0, "utf8"));
const shared = new Uint8Array(70_000); // packets lie anywhere in a buffer, as WebSocket and file readers hand them out
function placed(raw, offset) {
  shared.set(raw, offset);
  return shared.subarray(offset, offset + raw.length);
}
console.log(JSON.stringify({
  golden: task.golden.map((entry, i) => tried(placed(bytes(entry.hex), i), entry.units)),
  described: task.golden.filter((e) => e.message.json).map((e) => descriptionOf(decode(bytes(e.hex))).protocol),
  malformed: task.malformed.map((entry) => tried(bytes(entry.hex))),
  inputs: task.inputs.map(encoded),
  packets: task.packets.map((packet) => tried(bytes(packet))),
  hash: String(schemaHash(task.names, task.units)),
}));
