/* The tasks as rows on one axis of time. Only the rows in view are elements, so ten thousand scroll like twenty. */

const ROW = 22;
const MOST_ROWS = 18;
const SPARE = 6;
const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];

class Rows {
  #tasks = [];
  #pool = [];
  #active = -1;
  #drawn = 0;
  #pointed = null;
  #from = 0;
  #to = 1;
  #whole = [0, 1];
  #zoomed = false;

  /* look(task, hovering) shows a task's detail, open(task) its log, seen(from, to) is told which rows are in view. */
  constructor(look, open, seen) {
    this.look = look;
    this.open = open;
    this.seen = seen;
    this.sheet = el("div", { class: "sheet", role: "presentation" });
    this.list = el("div", { class: "rows", role: "listbox", tabindex: "0", "aria-label": "Tasks" }, this.sheet);
    this.grid = el("div", { class: "grid", "aria-hidden": "true" });
    this.axis = el(
      "div",
      { class: "axis row", "aria-hidden": "true" },
      el("span", {}),
      el("span", { class: "name" }, "task"),
      el("span", { class: "track" }),
      el("span", { class: "took" }, "took"),
    );
    this.element = el("div", { class: "table" }, this.axis, el("div", { class: "frame" }, this.grid, this.list));
    this.list.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("focus", () => this.#activate(this.#active < 0 ? this.first : this.#active, false));
    this.list.addEventListener("click", (event) =>
      this.#at(event, (place) => {
        this.#activate(place);
        this.open(this.#tasks[place]);
      }),
    );
    this.list.addEventListener("pointermove", (event) => {
      this.#pointed = event;
      this.#hover();
    });
    this.list.addEventListener("pointerleave", () => {
      this.#pointed = null;
      this.look(this.active);
    });
  }

  get active() {
    return this.#tasks[this.#active];
  }

  get first() {
    return Math.floor(this.list.scrollTop / ROW);
  }

  /* Shows tasks in this order; what stood at the top stays there, and the chosen task stays chosen. */
  show(tasks, from, to) {
    const top = this.first,
      chosen = this.active,
      held = top > 0 ? this.#tasks[top] : undefined;
    this.#tasks = tasks;
    this.#whole = [from, to];
    this.#from = NaN; // ruled anew: the axis may have another width too
    this.#active = chosen ? tasks.indexOf(chosen) : -1;
    this.sheet.style.height = `${tasks.length * ROW}px`;
    this.list.style.height = `${Math.min(Math.max(tasks.length, 1), MOST_ROWS) * ROW}px`;
    // The scroll bar's width, so that the axis and the picture above keep to the same columns.
    document.documentElement.style.setProperty("--gutter", `${this.list.offsetWidth - this.list.clientWidth}px`);
    const place = held ? tasks.indexOf(held) : -1;
    if (place >= 0) this.list.scrollTop += (place - top) * ROW;
    this.draw();
    if (chosen && !this.#pointed) this.look(chosen); // it may have gone on meanwhile
  }

  /* Lets the axis span the rows in view, or the whole again; returns which. */
  zoom() {
    this.#zoomed = !this.#zoomed;
    this.draw();
    return this.#zoomed;
  }

  top() {
    this.list.scrollTop = 0;
    this.#active = -1;
  }

  seek(place) {
    this.list.scrollTop = place * ROW - this.list.clientHeight / 3;
  }

  #soon() {
    this.#drawn ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.#drawn);
    this.#drawn = 0;
    const shown = Math.ceil(this.list.clientHeight / ROW) + 2 * SPARE;
    const start = Math.max(0, Math.min(this.first - SPARE, this.#tasks.length - shown));
    const end = Math.min(this.#tasks.length, start + shown);
    const seen = this.#tasks.slice(this.first, this.first + Math.ceil(this.list.clientHeight / ROW));
    this.#span(seen);
    while (this.#pool.length < end - start) this.#pool.push(this.#row());
    this.#pool.forEach((row, slot) => this.#fill(row, start + slot < end ? start + slot : -1));
    // The element that assistive technology follows has to be there.
    if (this.#active >= start && this.#active < end)
      this.list.setAttribute("aria-activedescendant", `task-${this.#active}`);
    else this.list.removeAttribute("aria-activedescendant");
    this.seen(seen);
    this.#hover();
  }

  #row() {
    const parts = {
      glyph: el("span", { class: "glyph", "aria-hidden": "true" }),
      name: el("bdi", { class: "name" }),
      said: el("span", { class: "unseen" }),
      bar: el("span", { class: "bar" }),
      word: el("span", { class: "word" }),
      took: el("span", { class: "took" }),
    };
    const element = el(
      "div",
      { class: "row", role: "option" },
      parts.glyph,
      parts.name,
      parts.said,
      el("span", { class: "track" }, parts.bar, parts.word),
      parts.took,
    );
    this.sheet.append(element);
    return { element, ...parts };
  }

  #fill(row, place) {
    row.element.hidden = place < 0;
    if (place < 0) return;
    const task = this.#tasks[place];
    const { element } = row;
    element.id = `task-${place}`;
    element.style.transform = `translateY(${place * ROW}px)`;
    element.className = `row is-${kindOf(task.status)}`;
    element.setAttribute("aria-posinset", place + 1);
    element.setAttribute("aria-setsize", this.#tasks.length);
    element.setAttribute("aria-selected", place === this.#active);
    row.glyph.textContent = GLYPHS[kindOf(task.status)];
    row.name.textContent = task.name;
    row.said.textContent = spoken(task);
    row.took.textContent = lasting(task.duration_s);
    this.#place(row, task);
  }

  /* A bar where both ends are known, an open one where it still runs, and else no bar: nothing is made up. */
  #place(row, task) {
    const share = (ms) => ((ms - this.#from) / (this.#to - this.#from)) * 100;
    const began = !Number.isNaN(task.from),
      open = task.to === null;
    const whole = began && (open || !Number.isNaN(task.to));
    row.bar.hidden = !whole;
    row.word.textContent = whole ? "" : timesUnknown(task);
    if (!whole) return;
    row.bar.className = open ? "bar open" : "bar";
    row.bar.style.left = `${share(task.from)}%`;
    row.bar.style.width = `max(3px, ${share(open ? this.#to : task.to) - share(task.from)}%)`;
  }

  #span(seen) {
    const [from, to] = spanOf(seen),
      zoomed = this.#zoomed && to > from;
    const [least, most] = zoomed
      ? [from, to + (seen.some((task) => task.to === null) ? (to - from) * 0.08 : 0)]
      : this.#whole;
    if (least === this.#from && most === this.#to) return;
    this.#from = least;
    this.#to = most;
    this.#rule();
  }

  #rule() {
    const span = this.#to - this.#from,
      track = this.axis.children[2];
    const most = Math.max(1, Math.min(8, Math.floor(track.clientWidth / 56)));
    const step = (STEPS.find((seconds) => span / 1000 / seconds <= most) ?? STEPS.at(-1)) * 1000;
    const marks = [];
    for (let at = Math.ceil(this.#from / step) * step; at <= this.#to; at += step) marks.push(at);
    const placed = (tag, at, text) => {
      const mark = el(tag, {}, text);
      mark.style.left = `${((at - this.#from) / span) * 100}%`;
      return mark;
    };
    const known = Number.isFinite(span);
    track.replaceChildren(...(known ? marks.map((at) => placed("span", at, tick(at, span))) : []));
    this.grid.replaceChildren(...(known ? marks.map((at) => placed("i", at, "")) : []));
  }

  #at(event, act) {
    const place = Math.floor((event.clientY - this.sheet.getBoundingClientRect().top) / ROW);
    if (this.#tasks[place]) act(place);
  }

  /* Also after rows have moved under a pointer that rests. */
  #hover() {
    if (this.#pointed) this.#at(this.#pointed, (place) => this.look(this.#tasks[place]));
  }

  #activate(place, follow = true) {
    if (!this.#tasks[place]) return;
    this.#active = place;
    if (follow) {
      const top = place * ROW,
        view = this.list;
      if (top < view.scrollTop) view.scrollTop = top;
      else if (top + ROW > view.scrollTop + view.clientHeight) view.scrollTop = top + ROW - view.clientHeight;
    }
    this.draw();
    this.look(this.active);
  }

  #key(event) {
    const last = this.#tasks.length - 1,
      page = Math.max(1, Math.floor(this.list.clientHeight / ROW) - 1),
      at = this.#active;
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last };
    if (event.key in moves) this.#activate(Math.max(0, Math.min(last, moves[event.key])));
    else if ((event.key === "Enter" || event.key === " ") && this.active) this.open(this.active);
    else return;
    event.preventDefault();
  }
}
