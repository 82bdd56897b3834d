// A WebSocket for node without packages: as much of the browser's as visavis.js uses.
import { randomBytes } from "node:crypto";
import { request } from "node:http";

export class MiniWebSocket {
  constructor(url) {
    this.readyState = 0;
    this.bufferedAmount = 0;
    const headers = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": randomBytes(16).toString("base64") };
    this.request = request(url.replace("ws:", "http:"), { headers });
    this.request.on("upgrade", (_response, socket, first) => this.#begin(socket, first));
    this.request.on("response", (response) => this.#end(`HTTP ${response.statusCode}`));
    this.request.on("error", (error) => this.#end(error.message));
    this.request.end();
  }

  #begin(socket, first) {
    this.socket = socket;
    this.readyState = 1;
    this.onopen?.({});
    let waiting = first;
    const take = (data) => {
      waiting = Buffer.concat([waiting, data]);
      for (let frame = parse(waiting); frame; frame = parse(waiting)) {
        waiting = waiting.subarray(frame.bytes);
        this.#take(frame);
      }
    };
    socket.on("data", take);
    socket.on("close", () => this.#end(this.reason ?? ""));
    socket.on("error", () => {});
    take(Buffer.alloc(0));
  }

  #take({ kind, payload }) {
    if (kind === 1) this.onmessage?.({ data: payload.toString() });
    if (kind === 2) this.onmessage?.({ data: new Uint8Array(payload).buffer });
    if (kind === 8) {
      this.reason = payload.subarray(2).toString();
      this.socket.end();
    }
    if (kind === 9) this.#write(10, payload);
  }

  #end(reason) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ reason });
  }

  #write(kind, payload) {
    const mask = randomBytes(4), n = payload.length;
    const size = n < 126 ? Buffer.of(128 | n) : n < 65536 ? Buffer.of(254, n >> 8, n & 255) : null;
    const length = size ?? Buffer.concat([Buffer.of(255, 0, 0, 0, 0), Buffer.of(n >> 24, n >> 16, n >> 8, n)]);
    this.socket.write(Buffer.concat([Buffer.of(128 | kind), length, mask, payload.map((byte, i) => byte ^ mask[i % 4])]));
  }

  send(data) {
    if (typeof data === "string") this.#write(1, Buffer.from(data));
    else this.#write(2, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }

  close() {
    this.request.destroy();
    this.socket?.destroy();
    this.#end("");
  }
}

function parse(data) { // the server's frames: whole, not masked
  if (data.length < 2) return null;
  let n = data[1] & 127, at = 2;
  if (n === 126) [n, at] = [data.length < 4 ? Infinity : data.readUInt16BE(2), 4];
  if (n === 127) [n, at] = [data.length < 10 ? Infinity : Number(data.readBigUInt64BE(2)), 10];
  return data.length < at + n ? null : { kind: data[0] & 15, payload: data.subarray(at, at + n), bytes: at + n };
}
