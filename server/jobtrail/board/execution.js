/* One execution: what became of it, why its tasks failed, and all of them on one axis of time. */

const ORDERS = {
  start: ["by start", (a, b) => earlier(a.from, b.from)],
  end: ["by end", (a, b) => earlier(a.to ?? Infinity, b.to ?? Infinity)],
  longest: ["longest first", (a, b) => (b.duration_s ?? -1) - (a.duration_s ?? -1)],
  name: ["by name", (a, b) => naturally.compare(a.name, b.name)],
  status: ["by status", (a, b) => STATUSES.indexOf(kindOf(a.status)) - STATUSES.indexOf(kindOf(b.status)) || earlier(a.from, b.from)],
};
const naturally = new Intl.Collator("en", { numeric: true });
const REDRAW_MS = 150;

/* NaN, a time that is not known, comes last. */
function earlier(a, b) {
  return (Number.isNaN(a) ? Infinity : a) - (Number.isNaN(b) ? Infinity : b) || 0;
}

async function showExecution(board, route, signal) {
  const detail = route.answer ?? await board.call("get_execution", pick(route, "job", "execution", "source"), signal);
  return new ExecutionView(board, detail, signal).element;
}

/* A task as the views use it: its times as numbers, `to` null while it runs on. */
function taskOf(task) {
  const to = instant(task.ended_at);
  return {
    ...task, from: instant(task.started_at), to: Number.isNaN(to) && task.status === "running" ? null : to,
    signature: BAD.has(task.status) ? signature(task.reason) : "",
  };
}

class ExecutionView {
  #tasks = [];
  #chosen = { statuses: new Set(), cause: null, text: "", order: "start" };
  #due = 0;

  constructor(board, detail, signal) {
    this.board = board;
    this.detail = detail;
    this.one = detail.execution;
    this.of = { job: this.one.job, execution: this.one.id, source: detail.source };
    this.walk = new Walk((args, left) => board.call("list_tasks", args, left), this.of, (items) => this.#arrived(items), signal);
    this.rows = new Rows((task) => this.#look(task), (task) => this.#openLog(task), (seen) => this.#seen(seen));
    this.overview = new Overview((ms) => this.#seek(ms));
    this.element = el("article", { class: "execution" }, this.#head(), this.#causes(), this.#timeline());
    board.redraw = () => this.overview.draw();
    const sized = new ResizeObserver(() => this.#soon());
    sized.observe(this.overview.canvas);
    signal.addEventListener("abort", () => { sized.disconnect(); clearTimeout(this.#due); });
    if (this.one.stats?.total === 0) this.#state("This execution has no tasks");
    else if (board.bridge.canCall) this.walk.run();
    else this.#state("This host does not let the board ask for more, so its tasks are not shown");
  }

  #head() {
    const { one, detail } = this;
    return el("header", { class: "head" },
      el("h1", {}, foreign(one.job ?? "execution"), " ", foreign(one.id, { class: "id" })),
      el("p", { class: "verdict" }, statusMark(one.status, one.raw_status), foreign(detail.verdict.split(": ").slice(1).join(": ")), sampleTag(detail)),
      facts([
        ["created", moment(one.created_at)], ["started", moment(one.started_at)], ["ended", moment(one.ended_at)],
        ["queued", lasting(detail.queued_s)], ["ran", lasting(one.duration_s)], ["parallelism", count(detail.parallelism)],
        ["timeout", lasting(detail.timeout_s)], ["retried", count(one.stats?.retried)], ["source", detail.source],
      ]),
      el("p", { class: "actions" },
        one.job && this.board.bridge.canCall ? button("History of this job", () => this.board.go({ view: "history", job: one.job, source: detail.source })) : "",
        this.board.bridge.canCall ? button("Reload", () => this.board.go({ view: "execution", ...this.of }, true)) : ""));
  }

  #causes() {
    this.causes = causeList(this.detail, (cause) => this.#choose({ cause }));
    return el("section", { "aria-label": "Failures by cause" }, el("h2", {}, causesTitle(this.detail)),
      this.causes, notes(this.detail.notes));
  }

  #timeline() {
    this.chips = el("div", { class: "chips", role: "group", "aria-label": "Show only these statuses" });
    const orders = el("select", { "aria-label": "Order", onchange: (event) => { this.rows.top(); this.#choose({ order: event.target.value }); } },
      Object.entries(ORDERS).map(([name, [words]]) => el("option", { value: name }, words)));
    const text = el("input", { type: "search", placeholder: "name or reason", "aria-label": "Show tasks whose name or reason contains",
      oninput: (event) => this.#choose({ text: event.target.value.trim().toLowerCase() }) });
    this.shown = el("p", { class: "shown", role: "status" });
    this.loaded = el("div", { class: "loaded" });
    this.more = el("div", {});
    this.detailed = el("div", { class: "detail" });
    this.#look();
    return el("section", { "aria-label": "Timeline of tasks", class: "timeline" },
      el("div", { class: "above" }, el("h2", {}, "Tasks"), this.shown, this.loaded), this.more,
      el("div", { class: "tools" }, this.chips, text, orders),
      this.overview.element, this.rows.element, this.detailed);
  }

  #arrived(items) {
    for (const item of items) this.#tasks.push(taskOf(item));
    // What is said to be loaded is drawn too; while more comes, both wait for each other a little.
    if (this.walk.state === "loading" && items.length < this.#tasks.length) this.#soon();
    else this.#refresh();
    this.#progress();
  }

  #soon() {
    this.#due ||= setTimeout(() => this.#refresh(), REDRAW_MS);
  }

  #choose(change) {
    Object.assign(this.#chosen, change);
    this.causes.choose(this.#chosen.cause);
    this.#refresh();
  }

  #refresh() {
    clearTimeout(this.#due);
    this.#due = 0;
    const { statuses, cause, text, order } = this.#chosen;
    const inCause = cause && ofCause(cause, this.detail.failures);
    const kept = this.#tasks.filter((task) => (!statuses.size || statuses.has(kindOf(task.status))) && (!inCause || inCause(task))
      && (!text || task.name.toLowerCase().includes(text) || task.reason?.toLowerCase().includes(text)));
    kept.sort(ORDERS[order][1]);
    this.kept = kept;
    const [from, to] = this.#span();
    this.overview.show(kept, from, to, this.walk.complete);
    this.rows.show(kept, from, to);
    this.#count(kept);
    this.#chipsFor();
  }

  /* From the first moment that is known to the last one: an execution that runs on has no later one yet. */
  #span() {
    let from = instant(this.one.started_at ?? this.one.created_at), to = instant(this.one.ended_at);
    for (const task of this.#tasks) {
      if (task.from < from || Number.isNaN(from)) from = task.from;
      for (const at of [task.from, task.to]) if (at !== null && (at > to || Number.isNaN(to))) to = at;
    }
    if (Number.isNaN(to)) to = from;
    const open = this.#tasks.some((task) => task.to === null) ? (to - from) * 0.08 + 1000 : 0;
    return [from, Math.max(to + open, from + 1000)];
  }

  #count(kept) {
    const all = this.#tasks.length, chosen = kept.length !== all || this.#chosen.cause;
    const missed = this.#chosen.cause && this.walk.complete && kept.length !== this.#chosen.cause.count && !this.#chosen.text && !this.#chosen.statuses.size
      ? `, where get_execution counted ${count(this.#chosen.cause.count)}` : "";
    const of = this.walk.complete ? `${count(all)} tasks` : `the ${count(all)} loaded so far`;
    const text = all === 0 ? "" : chosen ? `${plural(kept.length, "task")} shown, of ${of}${missed}` : `${plural(all, "task")} shown${this.walk.complete ? "" : ", more to load"}`;
    if (this.shown.textContent !== text) this.shown.textContent = text;
  }

  #chipsFor() {
    const counts = new Map();
    for (const task of this.#tasks) counts.set(kindOf(task.status), (counts.get(kindOf(task.status)) ?? 0) + 1);
    for (const kind of STATUSES) {
      let chip = this.chips.querySelector(`.is-${kind}`);
      if (!chip && counts.has(kind)) {
        chip = button("", () => {
          const { statuses } = this.#chosen;
          if (!statuses.delete(kind)) statuses.add(kind);
          chip.setAttribute("aria-pressed", String(statuses.has(kind)));
          this.#choose({});
        }, { class: `chip is-${kind}`, "aria-pressed": "false" });
        chip.append(el("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[kind]), el("span", {}, kind), el("b", {}));
        this.chips.append(chip);
      }
      if (chip) chip.lastChild.textContent = count(counts.get(kind) ?? 0);
    }
  }

  /* How much is here and what is missing; what is not complete never looks as if it were. */
  #progress() {
    const { walk } = this, here = walk.items.length, total = this.one.stats?.total ?? (walk.total?.kind === "exact" ? walk.total.value : undefined);
    const of = total === undefined ? "" : ` of ${count(total)}`;
    const words = {
      loading: `Loading: ${count(here)}${of}`,
      paused: `Paused: ${count(here)}${of} loaded`,
      failed: `INCOMPLETE: ${count(here)}${of} loaded`,
      ended: walk.complete ? `All ${plural(here, "task")} loaded` : `INCOMPLETE: ${count(here)}${of}, and the source gives no more`,
    }[walk.state];
    const step = { loading: ["Pause", () => walk.pause()], paused: ["Load more", () => walk.run()], failed: ["Try again", () => walk.run()] }[walk.state];
    this.#state(words, walk.state !== "ended" && total ? el("progress", { max: total, value: here, "aria-label": "Tasks loaded" }) : "", step);
    const differs = walk.complete && total !== undefined && total !== here ? [`the execution counts ${count(total)} tasks, but ${count(here)} are listed`] : [];
    this.more.replaceChildren(...[
      walk.state === "failed" ? trouble("A page of tasks could not be read", walk.error) : "", notes([...walk.notes, ...differs]),
    ].filter(Boolean));
  }

  #state(words, bar = "", step = null) {
    // The button stays the same element, so that focus stays on it while pages arrive.
    this.loaded.step ??= button("", () => this.loaded.act());
    const had = document.activeElement === this.loaded.step;
    this.loaded.step.textContent = step?.[0] ?? "";
    this.loaded.act = step?.[1];
    this.loaded.replaceChildren(...[el("span", { class: "words" }, words), bar, step ? this.loaded.step : ""].filter(Boolean));
    if (had && step) this.loaded.step.focus();
  }

  #look(task) {
    if (!task) {
      this.detailed.replaceChildren(el("p", { class: "quiet" }, "Hover a task, or move with the arrow keys; a click or Enter opens its log."));
      return;
    }
    this.detailed.replaceChildren(
      el("p", { class: "line" }, statusMark(task.status, task.raw_status), foreign(task.name, { class: "name" }),
        el("span", {}, Number.isNaN(task.from) ? timesUnknown(task) : `${clock(task.from)} – ${task.to === null ? "still running" : clock(task.to) || "end not known"}`),
        el("span", {}, lasting(task.duration_s))),
      el("p", { class: "reason" }, foreign(task.reason ?? "")));
  }

  #openLog(task) {
    if (!this.board.bridge.canCall) return;
    this.board.log.open(task.name, { ...this.of, task: task.name }, [
      ["status", task.raw_status ? `${task.status} (${task.raw_status})` : task.status], ["started", moment(task.started_at)],
      ["ended", moment(task.ended_at)], ["took", lasting(task.duration_s)], ["reason", task.reason ? foreign(task.reason) : ""],
    ]);
  }

  #seen(seen) {
    let from = Infinity, to = -Infinity;
    for (const task of seen) {
      if (task.from < from) from = task.from;
      for (const at of [task.from, task.to]) if (at !== null && at > to) to = at;
    }
    this.overview.mark(from, this.kept && this.kept.length > seen.length ? to : -Infinity);
  }

  #seek(ms) {
    let place = 0, best = Infinity;
    this.kept.forEach((task, at) => {
      const far = Math.abs(task.from - ms);
      if (far < best) [best, place] = [far, at];
    });
    this.rows.seek(place);
  }
}
