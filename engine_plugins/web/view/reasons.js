// Why nothing moves, in words, with what to do about it.  No DOM.

const TOO_SLOW_MS = 250;
const SILENT_MS = 1500, FIRST_MS = 2500;

// state: {open, problem, sinceMs, drawMs (a picture takes), heads: [{name, newestMs (when a frame came),
// channels, closed}], shapes (names that the face knows)}
// Gives {text, hint}: hint where nothing is wrong; null where all is well.
export function reason({ open, problem, sinceMs, drawMs, heads, shapes }, nowMs) {
  if (!open) return { text: problem || "connecting ..." };
  if (drawMs > TOO_SLOW_MS) {
    return { text: `a picture takes this machine ${(drawMs / 1000).toFixed(1)} s: open the page with ?quality=low, make the `
      + "window smaller, or turn hardware acceleration on" };
  }
  if (!heads.length) {
    return nowMs - sinceMs < FIRST_MS ? null : { text: "connected, but no head is open: start one with `visavis view`, "
      + "`visavis serve --demo --web 5580`, or the control request `open`" };
  }
  const open_ = heads.filter(({ closed }) => !closed);
  if (!open_.length) return { text: `${names(heads)} closed: the server ended it; start it again` };
  for (const head of open_) {
    if (head.channels && !head.channels.some((name) => shapes.includes(name))) {
      return { text: `head ${head.name} sends ${head.channels.length} channels (${head.channels[0]}, ...), none of them an `
        + "ARKit shape: this face cannot show them; use a model of arkit55, or `visavis retarget apply`" };
    }
  }
  const silent = open_.filter(({ newestMs }) => nowMs - (newestMs ?? sinceMs) > SILENT_MS);
  if (silent.length) {
    const longest = Math.max(...silent.map(({ newestMs }) => nowMs - (newestMs ?? sinceMs)));
    return { text: `no frame of ${names(silent)} for ${(longest / 1000).toFixed(1)} s: the server is connected but makes `
      + "no motion; look at its terminal, and at `visavis doctor`" };
  }
  return null;
}

const names = (heads) => `head${heads.length > 1 ? "s" : ""} ${heads.map(({ name }) => name).join(", ")}`;

// Why the microphone did not open, from the browser's exception.
export function microphoneReason(error, isSecure, host) {
  if (!isSecure) return `the microphone needs https or localhost, and this page comes from ${host}: open it on the server's machine, or put a proxy with TLS before it`;
  const known = {
    NotAllowedError: "the microphone was refused: allow it for this page (the sign left of the address), then press Talk again",
    NotFoundError: "no microphone was found: plug one in, then press Talk again",
    NotReadableError: "the microphone is in use by another program",
  };
  return known[error.name] ?? `microphone: ${error.message}`;
}
