/* One execution: what became of it, why its tasks failed, and all of them on one axis of time. */

const REDRAW_MS = 150;

async function showExecution(board, route, signal) {
  const detail =
    route.answer ?? (await board.call("get_execution", pick(route, "job", "execution", "source"), signal));
  return new ExecutionView(board, detail, signal).element;
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
    this.walk = new Walk(
      (args, left) => board.call("list_tasks", args, left),
      this.of,
      (items) => this.#arrived(items),
      signal,
    );
    this.rows = new Rows(
      (task) => this.#look(task),
      (task) => this.#openLog(task),
      (seen) => this.#seen(seen),
    );
    this.overview = new Overview((ms) => this.#seek(ms));
    this.element = el(
      "article",
      { class: "execution" },
      executionHead(board, detail, this.of),
      this.#causes(),
      this.#timeline(),
    );
    board.redraw = () => this.overview.draw();
    const sized = new ResizeObserver(() => this.#soon());
    sized.observe(this.overview.canvas);
    signal.addEventListener("abort", () => {
      sized.disconnect();
      clearTimeout(this.#due);
    });
    if (this.one.stats?.total === 0) this.#nothing("This execution has no tasks.");
    else if (board.bridge.canCall) this.walk.run();
    else this.#nothing("This host does not let the board ask for more, so the tasks are not shown.");
  }

  #causes() {
    this.causes = causeList(this.detail, (cause) => this.#choose({ cause }));
    return el(
      "section",
      { "aria-label": "Failures by cause" },
      el("h2", {}, causesTitle(this.detail)),
      this.causes,
      notes(this.detail.notes),
    );
  }

  #timeline() {
    this.chips = el("div", { class: "chips", role: "group", "aria-label": "Show only these statuses" });
    const orders = el(
      "select",
      {
        "aria-label": "Order",
        onchange: (event) => {
          this.rows.top();
          this.#choose({ order: event.target.value });
        },
      },
      Object.entries(ORDERS).map(([name, [words]]) => el("option", { value: name }, words)),
    );
    const text = el("input", {
      type: "search",
      placeholder: "name or reason",
      "aria-label": "Show tasks whose name or reason contains",
      oninput: (event) => this.#choose({ text: event.target.value.trim().toLowerCase() }),
    });
    this.shown = el("p", { class: "shown", role: "status" });
    this.loaded = el("div", { class: "loaded" });
    this.more = el("div", { class: "more" });
    this.detailed = el("div", { class: "detail" });
    this.#look();
    const zoom = button("Zoom in", () => zoom.setAttribute("aria-pressed", String(this.rows.zoom())), {
      class: "chip",
      "aria-pressed": "false",
      title: "Let the axis span only the rows in view",
    });
    this.tasks = el(
      "section",
      { "aria-label": "Timeline of tasks", class: "timeline" },
      el("div", { class: "above" }, el("h2", {}, "Tasks"), this.shown, this.loaded),
      this.more,
      el("div", { class: "tools" }, this.chips, text, orders, zoom),
      this.overview.element,
      this.rows.element,
      this.detailed,
    );
    return this.tasks;
  }

  #nothing(why) {
    this.tasks.replaceChildren(el("h2", {}, "Tasks"), el("p", { class: "empty" }, why));
  }

  #arrived(items) {
    for (const item of items) this.#tasks.push(taskOf(item));
    // What is said to be loaded is drawn too; while more comes, both wait for each other a little.
    if (this.walk.state === "loading" && items.length < this.#tasks.length) this.#soon();
    else this.#refresh();
    this.#progress();
  }

  #soon() {
    // The more there is to sort, the more rarely.
    this.#due ||= setTimeout(() => this.#refresh(), REDRAW_MS + this.#tasks.length / 100);
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
    const kept = this.#tasks.filter(
      (task) =>
        (!statuses.size || statuses.has(kindOf(task.status))) &&
        (!inCause || inCause(task)) &&
        (!text || task.name.toLowerCase().includes(text) || task.reason?.toLowerCase().includes(text)),
    );
    kept.sort(ORDERS[order][1]);
    this.kept = kept;
    const [from, to] = this.#span();
    this.clock = to - from > DAY ? moment : clock;
    this.overview.show(kept, from, to, this.#whole);
    this.rows.show(kept, from, to);
    this.#count(kept);
    this.#chipsFor();
  }

  /* From the first moment that is known to the last one: an execution that runs on has no later one yet. */
  #span() {
    const whole = { from: instant(this.one.started_at ?? this.one.created_at), to: instant(this.one.ended_at) };
    const [from, to] = spanOf([whole, ...this.#tasks]);
    const open = this.#tasks.some((task) => task.to === null) ? (to - from) * 0.08 + 1000 : 0;
    return to < from ? [NaN, NaN] : [from, Math.max(to + open, from + 1000)];
  }

  #count(kept) {
    const { cause, text, statuses } = this.#chosen,
      all = this.#tasks.length;
    const of = this.#whole ? `${count(all)} tasks` : `the ${count(all)} loaded so far`;
    const differs = cause && this.#whole && !text && !statuses.size && kept.length !== cause.count;
    let words = "";
    if (cause || kept.length !== all) words = `${plural(kept.length, "task")} shown, of ${of}`;
    else if (all) words = `${plural(all, "task")} shown${this.#whole ? "" : ", more to load"}`;
    if (differs) words += `, where get_execution counted ${count(cause.count)}`;
    if (this.shown.textContent !== words) this.shown.textContent = words;
  }

  #chipsFor() {
    const counts = new Map();
    for (const task of this.#tasks) counts.set(kindOf(task.status), (counts.get(kindOf(task.status)) ?? 0) + 1);
    for (const kind of STATUSES) {
      let chip = this.chips.querySelector(`.is-${kind}`);
      if (!chip && counts.has(kind)) {
        chip = button(
          "",
          () => {
            const { statuses } = this.#chosen;
            if (!statuses.delete(kind)) statuses.add(kind);
            chip.setAttribute("aria-pressed", String(statuses.has(kind)));
            this.#choose({});
          },
          { class: `chip is-${kind}`, "aria-pressed": "false" },
        );
        chip.append(
          el("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[kind]),
          el("span", {}, kind),
          el("b", {}),
        );
        this.chips.append(chip);
      }
      if (chip) chip.lastChild.textContent = count(counts.get(kind) ?? 0);
    }
  }

  /* How many tasks there are, as far as anybody said. */
  get #total() {
    const { total } = this.walk;
    return this.one.stats?.total ?? (total?.kind === "exact" ? total.value : undefined);
  }

  /* Every page was read, and they hold no fewer tasks than the execution counts. */
  get #whole() {
    return this.walk.complete && !(this.#total > this.walk.items.length);
  }

  /* How much is here and what is missing; what is not complete never looks as if it were. */
  #progress() {
    const { walk } = this,
      here = walk.items.length,
      total = this.#total;
    const known = `${count(here)}${total === undefined ? "" : ` of ${count(total)}`}`;
    const words = {
      loading: `Loading: ${known}`,
      paused: `Paused: ${known} loaded`,
      failed: `INCOMPLETE: ${known} loaded`,
      ended: this.#whole
        ? `All ${plural(here, "task")} loaded`
        : `INCOMPLETE: ${known}, and the source gives no more`,
    }[walk.state];
    const step = {
      loading: ["Pause", () => walk.pause()],
      paused: ["Load more", () => walk.run()],
      failed: ["Try again", () => walk.run()],
    }[walk.state];
    const bar = step && total ? el("progress", { max: total, value: here, "aria-label": "Tasks loaded" }) : "";
    this.#state(words, bar, step);
    const differs = walk.complete && total !== undefined && total !== here;
    const said = differs ? [`the execution counts ${plural(total, "task")}, but the list holds ${count(here)}`] : [];
    const failed = walk.state === "failed" ? trouble("A page of tasks could not be read", walk.error) : "";
    this.more.replaceChildren(...[failed, notes([...walk.notes, ...said])].filter(Boolean));
  }

  #state(words, bar = "", step = null) {
    // The button stays the same element, so that focus stays on it while pages arrive.
    this.loaded.step ??= button("", () => this.loaded.act());
    const had = document.activeElement === this.loaded.step;
    this.loaded.step.textContent = step?.[0] ?? "";
    this.loaded.act = step?.[1];
    this.loaded.replaceChildren(
      ...[el("span", { class: "words" }, words), bar, step ? this.loaded.step : ""].filter(Boolean),
    );
    if (had && step) this.loaded.step.focus();
  }

  #look(task) {
    if (!task) {
      this.detailed.replaceChildren(
        el("p", { class: "quiet" }, "Hover a task, or move with the arrow keys; a click or Enter opens its log."),
      );
      return;
    }
    this.detailed.replaceChildren(...taskDetail(task, this.clock));
  }

  #openLog(task) {
    if (!this.board.bridge.canCall) return;
    this.board.log.open(task.name, { ...this.of, task: task.name }, [
      ["status", task.raw_status ? `${task.status} (${task.raw_status})` : task.status],
      ["started", moment(task.started_at)],
      ["ended", moment(task.ended_at)],
      ["took", lasting(task.duration_s)],
      ["reason", task.reason ? foreign(task.reason) : ""],
    ]);
  }

  #seen(seen) {
    const [from, to] = spanOf(seen);
    this.overview.mark(from, this.kept && this.kept.length > seen.length ? to : -Infinity);
  }

  #seek(ms) {
    let place = 0,
      best = Infinity;
    this.kept.forEach((task, at) => {
      const far = Math.abs(task.from - ms);
      if (far < best) [best, place] = [far, at];
    });
    this.rows.seek(place);
  }
}
