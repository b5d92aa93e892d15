/* All tasks at a glance: how many were at work at each moment, by how they ended, and below when failures ended.
   The rows say the same in words; this is their picture. */

const OVERVIEW_HEIGHT = 72;
const FAILURE_STRIP = 14;
const LAYERS = ["succeeded", "other", "bad"]; // from the bottom up

class Overview {
  #context;
  #bins = null;

  /* seek(ms) is told where in time somebody clicked. */
  constructor(seek) {
    this.canvas = el("canvas", { class: "overview-canvas", role: "img" });
    this.window = el("div", { class: "overview-window", hidden: true });
    this.peak = el("span", { class: "peak" });
    this.labels = el(
      "div",
      { class: "overview-labels", "aria-hidden": "true" },
      this.peak,
      el("span", {}, "failures"),
    );
    this.element = el("div", { class: "overview" }, this.labels, this.canvas, this.window);
    this.canvas.addEventListener("click", (event) => {
      const box = this.canvas.getBoundingClientRect();
      if (this.#bins)
        seek(this.#bins.from + ((event.clientX - box.left) / box.width) * (this.#bins.to - this.#bins.from));
    });
    this.#context = this.canvas.getContext("2d");
  }

  show(tasks, from, to, whole) {
    this.element.hidden = false;
    const width = Math.max(1, Math.round(this.canvas.clientWidth));
    this.#bins = atWork(tasks, from, to, width);
    // No picture of nothing: where no times are known, the rows say so.
    this.element.hidden = !this.#bins.peak && !this.#bins.ends.some(Boolean);
    this.peak.textContent = this.#bins.peak
      ? `at most ${count(this.#bins.peak)} at once${whole ? "" : ", so far"}`
      : "";
    this.canvas.setAttribute(
      "aria-label",
      `Tasks at work from ${clock(from)} to ${clock(to)}: at most ${plural(this.#bins.peak, "task")} at once`,
    );
    this.draw();
  }

  /* Marks the stretch of time that the rows in view cover. */
  mark(from, to) {
    const bins = this.#bins;
    this.window.hidden = !(bins && to >= from);
    if (this.window.hidden) return;
    const span = bins.to - bins.from;
    this.window.style.left = `${((from - bins.from) / span) * 100}%`;
    this.window.style.width = `max(3px, ${((to - from) / span) * 100}%)`;
  }

  draw() {
    const bins = this.#bins;
    if (!bins) return;
    const scale = window.devicePixelRatio || 1;
    const width = bins.width;
    this.canvas.width = width * scale;
    this.canvas.height = OVERVIEW_HEIGHT * scale;
    const pen = this.#context;
    pen.scale(scale, scale);
    const floor = OVERVIEW_HEIGHT - FAILURE_STRIP;
    const tall = (value) => (value / (bins.most || 1)) * (floor - 4);
    const base = new Float64Array(width);
    for (const layer of LAYERS) {
      pen.fillStyle = inkOf(this.canvas, `--area-${layer}`);
      bins.layers[layer].forEach((value, x) => {
        if (!value) return;
        pen.fillRect(x, floor - tall(base[x] + value), 1, Math.max(tall(value), layer === "bad" ? 1 : 0.5));
        base[x] += value;
      });
    }
    pen.fillStyle = inkOf(this.canvas, "--line");
    pen.fillRect(0, floor, width, 1);
    pen.fillStyle = inkOf(this.canvas, "--failed");
    const most = Math.max(1, ...bins.ends);
    bins.ends.forEach((value, x) => {
      if (value) pen.fillRect(x, floor + 3, 1, 3 + Math.sqrt(value / most) * (FAILURE_STRIP - 6));
    });
  }
}

/* For each pixel of time, how many were at work in it on average, and how many failures ended in it.
   Only tasks whose times are known count; one that still runs goes on to the edge. */
function atWork(tasks, from, to, width) {
  const place = (ms) => Math.min(width, Math.max(0, ((ms - from) / (to - from)) * width));
  const layers = Object.fromEntries(LAYERS.map((layer) => [layer, new Float64Array(width + 2)]));
  const steps = Object.fromEntries(LAYERS.map((layer) => [layer, new Float64Array(width + 2)]));
  const ends = new Float64Array(width),
    starts = [],
    stops = [];
  for (const task of tasks) {
    if (BAD.has(task.status) && task.to !== null && !Number.isNaN(task.to))
      ends[Math.min(width - 1, Math.floor(place(task.to)))] += 1;
    if (Number.isNaN(task.from) || Number.isNaN(task.to)) continue;
    const until = task.to ?? to,
      a = place(task.from),
      b = place(until),
      first = Math.floor(a),
      last = Math.floor(b);
    const layer = BAD.has(task.status) ? "bad" : task.status === "succeeded" ? "succeeded" : "other";
    starts.push(task.from);
    stops.push(until);
    // Its parts of the first and the last pixel, and whole pixels between them.
    layers[layer][first] += first === last ? b - a : first + 1 - a;
    if (first === last) continue;
    layers[layer][last] += b - last;
    steps[layer][first + 1] += 1;
    steps[layer][last] -= 1;
  }
  let most = 0;
  for (const layer of LAYERS) {
    let whole = 0;
    for (let x = 0; x < width; x++) layers[layer][x] += whole += steps[layer][x];
    layers[layer] = layers[layer].subarray(0, width);
  }
  for (let x = 0; x < width; x++)
    most = Math.max(
      most,
      LAYERS.reduce((sum, layer) => sum + layers[layer][x], 0),
    );
  return { from, to, width, layers, ends, most, peak: atOnce(starts, stops) };
}

/* How many were at work at one moment at most; one that ends as another begins makes room for it. */
function atOnce(starts, stops) {
  const began = Float64Array.from(starts).sort(),
    ended = Float64Array.from(stops).sort();
  let peak = 0,
    gone = 0;
  began.forEach((start, place) => {
    while (ended[gone] <= start && gone < place) gone += 1;
    peak = Math.max(peak, place + 1 - gone);
  });
  return peak;
}

/* A colour of the style sheet as a canvas wants it, whatever theme is on. */
function inkOf(element, name) {
  const probe = el("span", { class: "unseen" });
  probe.style.color = `var(${name})`;
  element.parentElement.append(probe);
  const ink = getComputedStyle(probe).color;
  probe.remove();
  return ink;
}
