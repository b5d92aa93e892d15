/* How statuses, counts, times and lengths are written. Times are UTC, as in every answer; what is unknown stays so. */

const STATUSES = ["failed", "timeout", "missed", "running", "queued", "cancelled", "skipped", "unknown", "succeeded"];
const GLYPHS = {
  succeeded: "✓",
  failed: "✕",
  timeout: "◷",
  missed: "∅",
  running: "▸",
  queued: "○",
  cancelled: "⊘",
  skipped: "»",
  unknown: "?",
};
const BAD = new Set(["failed", "timeout", "missed"]);
const ENDED = new Set([...BAD, "succeeded", "cancelled", "skipped"]);

/* A status as a class name: a word that is not known here is drawn as unknown. */
function kindOf(status) {
  return Object.hasOwn(GLYPHS, status) ? status : "unknown";
}

/* `failure` is the upstream's own judgement, there only where it is not what the status says. */
function statusMark(status, raw, failure) {
  const kind = kindOf(status);
  const judged = failure === undefined ? "" : failure ? ", a failure" : ", no failure";
  return el(
    "span",
    { class: `status is-${kind}` },
    el("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[kind]),
    (raw ? `${status} (${raw})` : String(status)) + judged,
  );
}

const numbers = new Intl.NumberFormat("en-US");
const count = (value) => (value === undefined || value === null ? "" : numbers.format(value));
const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
const percent = (rate) => (rate === undefined || rate === null ? "" : `${Math.round(rate * 100)}%`);

function lasting(seconds) {
  if (seconds === undefined || seconds === null || Number.isNaN(seconds)) return "";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  const parts = [
    [Math.floor(whole / 3600), "h"],
    [Math.floor(whole / 60) % 60, "m"],
    [whole % 60, "s"],
  ];
  /* A zero between two others stays: 1h 00m 52s. */
  while (!parts[0][0]) parts.shift();
  while (!parts[parts.length - 1][0]) parts.pop();
  return parts
    .map(([value, unit], place) => `${place ? String(value).padStart(2, "0") : value}${unit}`)
    .join(" ");
}

/* How long, to one unit: 40m, 5h, 12d. */
function roughly(seconds) {
  const [size, unit] = [
    [172_800, 86_400, "d"],
    [5400, 3600, "h"],
    [60, 60, "m"],
    [0, 1, "s"],
  ].find(([from]) => seconds >= from).slice(1);
  return `${Math.floor(seconds / size)}${unit}`;
}

const ago = (seconds) => (seconds === undefined ? "" : `${roughly(Math.max(0, seconds))} ago`);

/* Milliseconds since 1970, NaN where a time is not known. */
function instant(text) {
  return text ? Date.parse(text) : NaN;
}

function iso(ms) {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : "";
}

function moment(text) {
  const known = iso(typeof text === "number" ? text : instant(text));
  return known ? `${known.slice(0, 10)} ${known.slice(11, 19)}` : "";
}

function clock(ms) {
  return iso(ms).slice(11, 19);
}

const DAY = 86_400_000;

/* A moment as short as the span that it is shown in allows. */
function tick(ms, span) {
  const text = iso(ms);
  if (span > 2 * DAY) return text.slice(5, 10);
  return span > 20 * 60_000 ? text.slice(11, 16) : text.slice(11, 19);
}
