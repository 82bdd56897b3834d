// The example: every channel of a head as a bar; sound, microphone, interruption and one dial.
import { connect } from "/visavis/visavis.js";
import { HeadVoice, Microphone } from "/visavis/voice.js";

const find = (id) => document.getElementById(id);
const [choice, status, canvas] = [find("head"), find("status"), find("bars")];
const paint = canvas.getContext("2d");
const stream = connect(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/stream${location.search}`);
let context = null, voice = null, microphone = null, problem = "";
const chosen = () => stream.head(choice.value);
const audio = () => (context ??= new AudioContext());
const tried = (action) => async () => {
  try {
    problem = "";
    await action();
  } catch (error) {
    problem = error.message;
  }
};

stream.addEventListener("head", ({ detail }) => choice.add(new Option(detail.name)));
find("listen").onclick = tried(async () => {
  if (voice) voice = voice.close();
  else voice = new HeadVoice(stream, choice.value, audio());
  await audio().resume();
  find("listen").textContent = voice ? "Sound off" : "Sound on";
});
find("microphone").onclick = tried(async () => {
  if (microphone) microphone = microphone.close();
  else microphone = await Microphone.open(stream, choice.value, audio());
  await audio().resume();
  find("microphone").textContent = microphone ? "Microphone off" : "Microphone on";
});
find("cancel").onclick = tried(() => stream.cancel(choice.value));
find("joy").oninput = tried(() => stream.setDials(choice.value, { "emotion.joy": Number(find("joy").value) }));

function draw(nowMs) {
  requestAnimationFrame(draw);
  const ratio = devicePixelRatio, [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== width * ratio) [canvas.width, canvas.height] = [width * ratio, height * ratio];
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint.clearRect(0, 0, width, height);
  const head = chosen(), face = head?.sample(nowMs);
  if (face && head.channels) {
    const columns = width > 600 ? 3 : 1, rows = Math.ceil(face.length / columns), step = height / rows;
    paint.font = `${Math.min(13, step * 0.8)}px system-ui, sans-serif`;
    face.forEach((value, i) => {
      const left = Math.floor(i / rows) * (width / columns), top = (i % rows) * step, room = width / columns - 180;
      const isAngle = head.units[i] === "rad", share = isAngle ? value / Math.PI : value;
      paint.fillStyle = "#9ab";
      paint.fillText(head.channels[i], left, top + step * 0.75);
      paint.fillStyle = isAngle ? "#d8a657" : "#7daea3";
      paint.fillRect(left + 170 + (isAngle ? room / 2 : 0), top + 2, (room * share) / (isAngle ? 2 : 1), step - 4);
    });
  }
  status.textContent = problem || stream.problem || (head
    ? `${head.speaking ? "speaks" : "listens"}; delay ${head.delayMs.toFixed(0)} ms; ${JSON.stringify(head.counters)}`
    : "no head yet");
  Object.assign(window, { visavis: { stream, head, face, voice, microphone } }); // for the console
}
requestAnimationFrame(draw);
