// Wire protocol v1 (docs/protocol.md) in JavaScript: decodes every message, encodes the inputs.  No dependency, no DOM.
//
//   const message = decode(arrayBuffer, units);   // throws WireError for what is malformed
//
// 64-bit fields are BigInt, as their range needs it; values are a Float32Array, or null for norm16 without units.

export const HEADER_BYTES = 80;
export const MAX_MESSAGE_BYTES = 65536;
export const TIMED = 1, END = 2; // flags
export const SPEAKING = 1, LISTENING = 2, LATE = 4, WITHDRAWN = 8; // state
const DTYPES = ["none", "f32", "norm16", "s16", "json"];
const FACES = ["VVM1", "VVT1"], VOICES = ["VVA1", "VVU1", "VVG1"], CUT = "VVC1", DESCRIPTION = "VVD1";
const LEAST_RATE = 4000, MOST_RATE = 384000; // Hz, of voices
const PI = Math.PI;
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8 = new TextEncoder();

export class WireError extends Error {}

function refuse(what) {
  throw new WireError(`wire message: ${what}`);
}

// Takes a message apart.  data: ArrayBuffer or a view; units: those of the head's channels, from its description.
export function decode(data, units = null) {
  const view = ArrayBuffer.isView(data)
    ? new DataView(data.buffer, data.byteOffset, data.byteLength) : new DataView(data);
  const size = view.byteLength;
  if (size < HEADER_BYTES || size > MAX_MESSAGE_BYTES) {
    refuse(`${size} bytes; expected ${HEADER_BYTES} to ${MAX_MESSAGE_BYTES}`);
  }
  const magic = String.fromCharCode(view.getUint8(0), view.getUint8(1), view.getUint8(2), view.getUint8(3));
  if (!FACES.includes(magic) && !VOICES.includes(magic) && magic !== CUT && magic !== DESCRIPTION) {
    refuse(`magic ${JSON.stringify(magic)} is unknown`);
  }
  const headerBytes = view.getUint16(20, true), dtype = DTYPES[view.getUint8(72)];
  if (headerBytes < HEADER_BYTES || headerBytes % 4 || headerBytes > size) {
    refuse(`header size is ${headerBytes} in a message of ${size} bytes`);
  }
  if (dtype === undefined) refuse(`dtype is ${view.getUint8(72)}; known are 0 to ${DTYPES.length - 1}`);
  const message = {
    magic,
    head: headName(view),
    flags: view.getUint16(22, true),
    schemaHash: view.getBigUint64(24, true),
    sequence: view.getBigUint64(32, true),
    frame: view.getBigInt64(40, true),
    presentationNs: view.getBigInt64(48, true), // session clock
    publishNs: view.getBigInt64(56, true), // sender's monotonic clock
    epoch: view.getUint32(64, true),
    state: view.getUint16(68, true),
    channels: view.getUint16(70, true),
    dtype,
    revision: view.getUint8(73),
    rate: view.getUint32(76, true), // Hz
    values: EMPTY,
    json: null,
  };
  check(message, size - headerBytes);
  if (dtype === "json") message.json = textOf(view, headerBytes, size);
  else message.values = valuesOf(view, headerBytes, dtype, units);
  return message;
}

const EMPTY = new Float32Array(0);

// The object of a VVD1 message; throws WireError where it is none.
export function descriptionOf(message) {
  let found;
  try {
    found = JSON.parse(message.json ?? "");
  } catch (error) {
    refuse(`JSON cannot be read: ${error.message}`);
  }
  if (found === null || typeof found !== "object" || Array.isArray(found)) refuse("JSON is no object");
  return found;
}

function check({ magic, dtype, channels, rate, flags }, payloadBytes) {
  let fits;
  if (VOICES.includes(magic)) {
    const width = { f32: 4, s16: 2 }[dtype];
    const bareEnd = dtype === "none" && flags & END && channels === 0 && payloadBytes === 0;
    fits = rate >= LEAST_RATE && rate <= MOST_RATE
      && (bareEnd || (width !== undefined && channels === 1 && payloadBytes > 0 && payloadBytes % width === 0));
  } else if (FACES.includes(magic)) {
    const width = { f32: 4, norm16: 2 }[dtype];
    fits = width !== undefined && channels > 0 && payloadBytes === channels * width;
  } else if (magic === DESCRIPTION) {
    fits = dtype === "json" && payloadBytes > 0;
  } else {
    fits = dtype === "none" && channels === 0 && payloadBytes === 0;
  }
  if (!fits) {
    refuse(`${magic} with dtype ${dtype}, ${channels} channels, rate ${rate}, ${payloadBytes} bytes of payload `
      + "do not go together");
  }
}

function valuesOf(view, at, dtype, units) {
  const n = (view.byteLength - at) / (dtype === "f32" ? 4 : 2);
  if (dtype === "none") return EMPTY;
  if (dtype === "norm16" && units === null) return null;
  if (dtype === "norm16" && units.length !== n) refuse(`${n} values and ${units.length} units`);
  const values = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    if (dtype === "f32") values[i] = view.getFloat32(at + 4 * i, true);
    else if (dtype === "s16") values[i] = view.getInt16(at + 2 * i, true) / 32768;
    else if (units[i] === "rad") values[i] = Math.max(view.getInt16(at + 2 * i, true) / 32767, -1) * PI;
    else values[i] = view.getUint16(at + 2 * i, true) / 65535;
    if (!Number.isFinite(values[i])) refuse("a value is NaN or infinite");
  }
  return values;
}

function headName(view) {
  let end = 20;
  while (end > 4 && view.getUint8(end - 1) === 0) end--;
  return checkedHead(textOf(view, 4, end), end - 4);
}

function checkedHead(name, nBytes) {
  if (nBytes < 1 || nBytes > 16 || /[\u0000-\u001f\u007f]/.test(name)) {
    refuse(`head id ${JSON.stringify(name)}; expected 1 to 16 bytes of UTF-8 without control characters`);
  }
  return name;
}

function textOf(view, from, to) {
  let found;
  try {
    found = text.decode(new Uint8Array(view.buffer, view.byteOffset + from, to - from));
  } catch {
    refuse("text is not UTF-8");
  }
  if (found.includes("\0")) refuse("text holds NUL");
  return found;
}

// FNV-1a 64 over names and units, joined by newlines.
export function schemaHash(names, units) {
  let value = 0xcbf29ce484222325n;
  for (const byte of utf8.encode(names.flatMap((name, i) => [name, units[i]]).join("\n"))) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  return value;
}

// A packet of the user's voice (VVU1) or the agent's (VVG1).  timeNs (session clock, BigInt) null: the server appends it.
export function encodeVoice(magic, head, samples, rate, { timeNs = null, sequence = 0n, frame = 0n, epoch = 0,
  publishNs = 0n, dtype = "f32", end = false } = {}) {
  if (end && samples.length === 0) dtype = "none";
  const width = { f32: 4, s16: 2, none: 0 }[dtype];
  const fields = { magic, head, timeNs, sequence, frame, epoch, publishNs, dtype, rate, end,
    channels: dtype === "none" ? 0 : 1, payloadBytes: samples.length * width };
  return encode(fields, (view, i) => {
    if (dtype === "f32") view.setFloat32(80 + 4 * i, samples[i], true);
    else view.setInt16(80 + 2 * i, round(clamp(samples[i] * 32768, -32768, 32767)), true);
  }, samples);
}

// One frame of the user's tracked face in channels of these names and units.
export function encodeFace(head, values, names, units, { timeNs = null, sequence = 0n, frame = 0n, epoch = 0,
  publishNs = 0n, rate = 0, dtype = "f32" } = {}) {
  const fields = { magic: "VVT1", head, timeNs, sequence, frame, epoch, publishNs, dtype, rate, end: false,
    schemaHash: schemaHash(names, units), channels: names.length, payloadBytes: values.length * (dtype === "f32" ? 4 : 2) };
  return encode(fields, (view, i) => {
    if (dtype === "f32") view.setFloat32(80 + 4 * i, values[i], true);
    else if (units[i] === "rad") view.setInt16(80 + 2 * i, round(clamp(values[i] / PI, -1, 1) * 32767), true);
    else view.setUint16(80 + 2 * i, round(clamp(values[i], 0, 1) * 65535), true);
  }, values);
}

function encode(fields, write, values) {
  const flags = (fields.timeNs === null ? 0 : TIMED) | (fields.end ? END : 0);
  check({ ...fields, flags }, fields.payloadBytes);
  const size = HEADER_BYTES + fields.payloadBytes, name = utf8.encode(fields.head);
  if (size > MAX_MESSAGE_BYTES) refuse(`${size} bytes; at most ${MAX_MESSAGE_BYTES}`);
  checkedHead(fields.head, name.length);
  const bytes = new Uint8Array(size), view = new DataView(bytes.buffer);
  bytes.set(utf8.encode(fields.magic), 0);
  bytes.set(name, 4);
  view.setUint16(20, HEADER_BYTES, true);
  view.setUint16(22, flags, true);
  view.setBigUint64(24, fields.schemaHash ?? 0n, true);
  view.setBigUint64(32, fields.sequence, true);
  view.setBigInt64(40, fields.frame, true);
  view.setBigInt64(48, fields.timeNs ?? 0n, true);
  view.setBigInt64(56, fields.publishNs, true);
  view.setUint32(64, fields.epoch, true);
  view.setUint16(70, fields.channels, true);
  view.setUint8(72, DTYPES.indexOf(fields.dtype));
  view.setUint32(76, fields.rate, true);
  for (let i = 0; i < values.length && fields.payloadBytes; i++) {
    if (!Number.isFinite(values[i])) refuse("a value is NaN or infinite");
    write(view, i);
  }
  return bytes;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const round = (value) => Math.floor(value + 0.5);
