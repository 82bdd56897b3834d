// Mouse, finger and keys move the camera of the head that is under them.

const PER_PIXEL = 0.006, PER_KEY = 0.08;

export function moveCamera(stage, chosen) {
  const { canvas } = stage, fingers = new Map();
  const under = ({ offsetX, offsetY }) => {
    const scale = canvas.width / canvas.clientWidth, x = offsetX * scale, y = canvas.height - offsetY * scale;
    return stage.panels().find(([, left, bottom, w, h]) => x >= left && x < left + w && y >= bottom && y < bottom + h)?.[0];
  };
  let actor = null;
  canvas.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (fingers.size === 1) actor = under(event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before || !actor) return;
    const now = [event.offsetX, event.offsetY];
    if (fingers.size === 1) actor.look(-(now[0] - before[0]) * PER_PIXEL, (now[1] - before[1]) * PER_PIXEL);
    else {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1], apart = ([x, y]) => Math.hypot(x - other[0], y - other[1]);
      actor.nearer(apart(now) / Math.max(1, apart(before)));
    }
    fingers.set(event.pointerId, now);
  });
  for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    under(event)?.nearer(Math.exp(-event.deltaY * 0.001));
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => under(event)?.front());
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [PER_KEY, 0], ArrowRight: [-PER_KEY, 0], ArrowUp: [0, PER_KEY], ArrowDown: [0, -PER_KEY] };
    const head = chosen();
    if (!head) return;
    if (event.key in moves) head.look(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") head.nearer(1.1);
    else if (event.key === "-") head.nearer(1 / 1.1);
    else if (event.key === "0") head.front();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
