// The page's modules that need no browser: run by tests/python/test_web_view.py; one task on stdin, one answer out.
import { readFileSync } from "node:fs";
import { HeadMesh, headRotation, power } from "../../engine_plugins/web/view/head_mesh.js";
import { Percentiles, ServerClock } from "../../engine_plugins/web/view/meter.js";
import { microphoneReason, reason } from "../../engine_plugins/web/view/reasons.js";
import { Difference, Take } from "../../engine_plugins/web/view/take.js";
import { Interruption, VoiceTrace } from "../../engine_plugins/web/view/voices.js";
import { HeadVoice } from "../../engine_plugins/web/voice.js";

const whole = (path) => new Uint8Array(readFileSync(path)).buffer;

const TASKS = {
  // Positions and normals of the head in some poses.
  pose({ path, poses }) {
    const mesh = new HeadMesh(whole(path)), posed = mesh.newPose();
    return {
      surfaces: mesh.surfaces.map(({ name, firstVertex, nVertices, first, count }) => ({ name, firstVertex, nVertices, first, count })),
      poses: poses.map(({ weights, angles }) => {
        mesh.pose(weights, angles, posed);
        return { positions: [...posed.positions], normals: [...posed.normals] };
      }),
    };
  },

  rotations({ angles }) {
    return angles.map((each) => ({ head: headRotation(...each), neck: power(headRotation(...each), 0.3) }));
  },

  broken({ path }) {
    const bytes = new Uint8Array(whole(path)), told = [];
    for (const cut of [0, 10, 27, 5000]) {
      try {
        new HeadMesh(bytes.slice(0, cut).buffer);
        told.push("");
      } catch (error) {
        told.push(error.message);
      }
    }
    return told;
  },

  meter() {
    const values = new Percentiles(100);
    for (let i = 0; i < 250; i++) values.add(i);
    values.add(NaN);
    const clock = new ServerClock();
    for (const [wayMs, backMs] of [[30, 2], [3, 3], [2, 40]]) { // the server is 5000 ms ahead, its session began at 4000
      const sentMs = 100, receiveMs = sentMs + wayMs + 5000, sendMs = receiveMs + 1;
      clock.add({ server_receive_ns: receiveMs * 1e6, server_send_ns: sendMs * 1e6, session_ns: (sendMs - 4000) * 1e6 }, sentMs,
        sendMs + backMs - 5000);
    }
    return { p0: values.at(0), p50: values.at(50), p99: values.at(99), count: values.count, empty: new Percentiles().at(50),
      server: clock.serverMs(200), session: clock.sessionMs(200), none: new ServerClock().serverMs(1) };
  },

  voices() {
    const trace = new VoiceTrace(1), loud = new Float32Array(1600).fill(0.5), quiet = new Float32Array(1600).fill(0.001);
    trace.add(1000, loud, 16000); // 1000 to 1100 ms
    trace.add(1100, quiet, 16000);
    const told = { at: trace.peak(1040, 1060), after: trace.peak(1120, 1180), newest: trace.newestMs,
      speaks: [1050, 1290, 1310].map((at) => trace.speaks(at)), older: trace.peak(0, 40) };
    trace.cut(1050);
    told.cut = [trace.peak(1000, 1050), trace.peak(1050, 1100)];
    const ear = new Interruption(), packet = (level) => new Float32Array(320).fill(level); // 20 ms
    const heard = (level, n) => Array.from({ length: n }, () => ear.heard(packet(level), 16000)).indexOf(true);
    told.cough = heard(0.3, 8);
    told.pause = heard(0, 30);
    told.talk = heard(0.3, 30);
    told.goesOn = heard(0.3, 30);
    return told;
  },

  reasons() {
    const head = { name: "npc", newestMs: 9900, channels: ["jawOpen"], closed: false };
    const state = { open: true, problem: "", sinceMs: 0, drawMs: 20, heads: [head], shapes: ["jawOpen"] };
    const of = (change) => reason({ ...state, ...change }, 10_000)?.text ?? null;
    return {
      well: of({}), closed: of({ open: false, problem: "no connection" }), none: of({ heads: [] }), early: reason({ ...state, heads: [] }, 100),
      silent: of({ heads: [{ ...head, newestMs: 5000 }] }), never: of({ heads: [{ ...head, newestMs: null }] }),
      foreign: of({ heads: [{ ...head, channels: ["exp_0"] }] }), ended: of({ heads: [{ ...head, closed: true }] }),
      slow: of({ drawMs: 900 }), refused: microphoneReason({ name: "NotAllowedError" }, true, "x"), insecure: microphoneReason({}, false, "10.0.0.2:5580"),
      other: microphoneReason({ name: "X", message: "odd" }, true, "x"),
    };
  },

  // Two takes of two channels, the second shorter and with a hole.
  takes() {
    const about = (frames, channels) => ({ name: "t", frames, frame_rate: 25, channels, units: channels.map(() => "1"), rate: 16000,
      turns: [{ time_s: 0.2 }, { time_s: 0.4 }], turn_s: 0.2, events: [] });
    const voice = new Int16Array(16000);
    voice[8000] = -16384;
    const one = new Take(about(25, ["a", "b"]), Float32Array.from({ length: 50 }, (_, i) => (i % 2 ? 0.5 : (i >> 1) / 25)), new Uint8Array(25).fill(1, 10),
      { agent: voice, user: new Int16Array(0) });
    const values = Float32Array.from({ length: 40 }, (_, i) => (i % 2 ? (i >> 1) / 25 : 0.5));
    values[20] = values[21] = values[0] = values[1] = NaN;
    values[32] = 0.9; // channel b of frame 16
    const other = new Take(about(20, ["b", "a"]), values, new Uint8Array(20), { agent: new Int16Array(0), user: new Int16Array(0) });
    const difference = new Difference(one, other);
    return {
      between: [...one.faceAt(0.1)], last: [...one.faceAt(99)], hole: [...other.faceAt(0.41)], before: [...other.faceAt(0)], speaks: [0.39, 0.41].map((at) => one.speaks(at)),
      peaks: [[0.49, 0.51], [0.6, 0.7], [0, 1], [-3, 9]].map(([from, to]) => one.peak("agent", from, to)), empty: one.peak("user", 0, 1),
      turns: [0.1, 0.3, 0.59, 0.61].map((at) => one.turnAt(at)?.time_s ?? null), seconds: one.seconds,
      ranking: difference.ranking(), missing: Number.isNaN(difference.at(10, 0)), at: difference.at(16, 1), frames: difference.nFrames,
      next: difference.peakFrom(2, 1), previous: difference.peakFrom(19, -1), none: difference.peakFrom(17, 1),
    };
  },

  // A voice in packets of 40 ms that come 60 ms ahead of their time, through a sound card whose way out takes 30 ms.
  voice({ lateFrom, latenessMs }) {
    const stream = new EventTarget(), started = [], nodes = [];
    let stopped = 0;
    let nowMs = 0;
    const context = {
      state: "running", destination: null, get currentTime() { return nowMs / 1000; },
      getOutputTimestamp: () => ({ contextTime: (nowMs - 30) / 1000, performanceTime: nowMs || 1e-9 }),
      createBuffer: (_n, length, rate) => ({ copyToChannel() {}, duration: length / rate }),
      createBufferSource() {
        const node = { connect() {}, start: (at) => started.push(node.at = at * 1000), stop: () => stopped++ };
        nodes.push(node);
        return node;
      },
    };
    const head = { name: "npc", localMs: (sessionMs) => sessionMs + 1000 }, heard = [];
    const voice = new HeadVoice(stream, "npc", context, { now: () => nowMs });
    const tell = (type, detail) => stream.dispatchEvent(Object.assign(new Event(type), { detail }));
    for (let k = 0; k < 100; k++) {
      const jitterMs = (k * 7) % 11;
      nowMs = 940 + 40 * k + jitterMs + (k >= lateFrom ? latenessMs : 0);
      for (const node of nodes) if (node.at + 70 < nowMs) node.onended();
      const values = new Float32Array(640).fill(k % 20 === 19 ? 0 : 0.2);
      tell("voice", { head, message: { presentationNs: BigInt(40e6 * k), rate: 16000, values } });
      heard.push([nowMs, voice.heardMs(nowMs)]);
    }
    tell("cut", { head, fromMs: 3900 });
    return { started, moved: voice.moved, dropped: voice.dropped, played: voice.played, heard, cut: stopped };
  },
};

const { task, ...rest } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(TASKS[task](rest)));
