/* One execution: what became of it, why its tasks failed, and all of them on one axis of time. */

const REDRAW_MS = 150;

async function showExecution(board, route, signal) {
  const detail =
    route.answer ?? (await board.call("get_execution", pick(route, "job", "execution", "source"), signal));
  return new ExecutionView(board, detail, Boolean(route.answer), signal).element;
}

class ExecutionView {
  #chosen = { cause: null, text: "", order: "start" };
  #due = 0;
  #behind = false; // the tasks shown are older than the counts
  #saidAt = 0;

  constructor(board, detail, handed, signal) {
    this.board = board;
    this.detail = detail;
    this.one = detail.execution;
    this.signal = signal;
    this.of = { job: this.one.job, execution: this.one.id, source: detail.source };
    this.walk = new Walk(
      (args, left) => board.call("list_tasks", args, left),
      this.of,
      (items, cursor) => this.#arrived(items, cursor),
      signal,
    );
    this.tasks = new TaskList((cursor) => this.walk.read(cursor));
    if (board.bridge.canCall && this.#going) this.#follow(handed);
    this.rows = new Rows(
      (task) => this.#look(task),
      (task) => this.#openLog(task),
      (seen) => this.#seen(seen),
    );
    this.overview = new Overview((ms) => this.#seek(ms));
    this.head = executionHead(board, detail, this.of, this.following?.element);
    this.element = el("article", { class: "execution" }, this.head, this.#causes(), this.#timeline());
    this.following?.watch(this.element);
    board.redraw = () => this.overview.draw();
    const sized = new ResizeObserver(() => this.#soon());
    sized.observe(this.overview.canvas);
    signal.addEventListener("abort", () => {
      sized.disconnect();
      clearTimeout(this.#due);
    });
    if (this.#empty) this.#nothing(`This execution has no tasks${this.#going ? " yet" : ""}.`);
    else if (board.bridge.canCall) this.walk.run();
    else this.#nothing("This host does not let the board ask for more, so the tasks are not shown.");
  }

  get #empty() {
    return this.one.tasks === 0;
  }

  get #going() {
    return this.#behind || this.one.status === "running" || this.one.status === "queued";
  }

  #follow(handed) {
    this.following = new Following({
      look: () => this.#again(),
      free: () => this.walk.state !== "loading",
      going: () => this.#going,
      handed,
      signal: this.signal,
    });
  }

  /* Asks what has become of it, and where that is not what is shown, for the tasks too; answers whether it was not. */
  async #again() {
    const detail = await this.board.call("get_execution", this.of, this.signal);
    if (!this.#behind && !newer(detail, this.detail)) return false;
    this.#behind = true;
    try {
      if (!this.#empty) await this.tasks.readAgain(detail.execution, this.walk.complete);
      this.#behind = false;
    } finally {
      if (!this.signal.aborted) this.#show(detail);
    }
    return true;
  }

  #show(detail) {
    const wasEmpty = this.#empty;
    this.detail = detail;
    this.one = detail.execution;
    // There was nothing to keep a place in.
    if (wasEmpty && !this.#empty) return this.board.go({ view: "execution", ...this.of }, true);
    this.head.show(detail);
    this.#showCauses();
    this.shown.ariaLive = "off"; // the reader is told in one sentence, and not of each look
    if (!this.#empty) {
      this.#refresh();
      this.#progress();
    }
    return this.#sayHowFar();
  }

  #sayHowFar() {
    const { status, tasks, succeeded, failed, cancelled = 0 } = this.one,
      ended = !this.#going;
    if (!ended && Date.now() - this.#saidAt < this.following.most) return;
    this.#saidAt = Date.now();
    const done = succeeded + failed + cancelled;
    const far = Number.isFinite(done) && tasks !== undefined ? `${count(done)} of ${count(tasks)} done` : "";
    say(ended ? [`now ${status}`, far].filter(Boolean).join(", ") : far && `now ${far}`);
  }

  #causes() {
    this.causes = causeList((cause) => this.#choose({ cause }));
    this.causesTitle = el("h2");
    this.causesNotes = el("div");
    this.#showCauses();
    return el(
      "section",
      { "aria-label": "Failures by cause" },
      this.causesTitle,
      this.causes,
      this.causesNotes,
    );
  }

  #showCauses() {
    const { failures } = this.detail,
      { cause } = this.#chosen;
    this.causesTitle.textContent = causesTitle(this.detail);
    this.causes.show(failures);
    this.#chosen.cause = cause && (failures.find((one) => sameCause(one, cause)) ?? null);
    this.causes.choose(this.#chosen.cause);
    this.causesNotes.replaceChildren(...[notes(this.detail.notes)].filter(Boolean));
  }

  #timeline() {
    this.chips = new StatusChips(() => this.#choose({}));
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
    this.section = el(
      "section",
      { "aria-label": "Timeline of tasks", class: "timeline" },
      el("div", { class: "above" }, el("h2", {}, "Tasks"), this.shown, this.loaded),
      this.more,
      el("div", { class: "tools" }, this.chips.element, text, orders, zoom),
      this.overview.element,
      this.rows.element,
      this.detailed,
    );
    return this.section;
  }

  #nothing(why) {
    this.section.replaceChildren(el("h2", {}, "Tasks"), el("p", { class: "empty" }, why));
  }

  #arrived(items, cursor) {
    this.tasks.take(items, cursor);
    // What is said to be loaded is drawn too; while more comes, both wait for each other a little.
    if (this.walk.state === "loading" && items.length < this.tasks.all.length) this.#soon();
    else this.#refresh();
    this.#progress();
    this.following?.plan();
  }

  #soon() {
    // The more there is to sort, the more rarely.
    this.#due ||= setTimeout(() => this.#refresh(), REDRAW_MS + this.tasks.all.length / 100);
  }

  #choose(change) {
    Object.assign(this.#chosen, change);
    this.shown.ariaLive = "polite";
    this.causes.choose(this.#chosen.cause);
    this.#refresh();
  }

  #refresh() {
    clearTimeout(this.#due);
    this.#due = 0;
    const { cause, text, order } = this.#chosen,
      statuses = this.chips.chosen;
    const inCause = cause && ofCause(cause, this.detail.failures);
    const kept = this.tasks.all.filter(
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
    this.chips.show(this.tasks.all);
  }

  /* From the first moment that is known to the last one: an execution that runs on has no later one yet. */
  #span() {
    const whole = { from: instant(this.one.started_at ?? this.one.created_at), to: instant(this.one.ended_at) };
    const [from, to] = spanOf([whole, ...this.tasks.all]);
    const open = this.tasks.all.some((task) => task.to === null) ? (to - from) * 0.08 + 1000 : 0;
    return to < from ? [NaN, NaN] : [from, Math.max(to + open, from + 1000)];
  }

  #count(kept) {
    const { cause, text } = this.#chosen,
      statuses = this.chips.chosen,
      all = this.tasks.all.length;
    const of = this.#whole ? `${count(all)} tasks` : `the ${count(all)} loaded so far`;
    const differs = cause && this.#whole && !text && !statuses.size && kept.length !== cause.count;
    let words = "";
    if (cause || kept.length !== all) words = `${plural(kept.length, "task")} shown, of ${of}`;
    else if (all) words = `${plural(all, "task")} shown${this.#whole ? "" : ", more to load"}`;
    if (differs) words += `, where get_execution counted ${count(cause.count)}`;
    if (this.shown.textContent !== words) this.shown.textContent = words;
  }

  /* How many tasks there are, as far as anybody said. */
  get #total() {
    const { total } = this.walk;
    return this.one.tasks ?? (total?.kind === "exact" ? total.value : undefined);
  }

  /* Every page was read, and they hold no fewer tasks than the execution counts. */
  get #whole() {
    return this.walk.complete && !(this.#total > this.tasks.all.length);
  }

  /* How much is here and what is missing; what is not complete never looks as if it were. */
  #progress() {
    const { walk } = this,
      here = this.tasks.all.length,
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
      loading: ["Pause", () => this.#pause()],
      paused: ["Load more", () => this.#resume()],
      failed: ["Try again", () => walk.run()],
    }[walk.state];
    const bar = step && total ? el("progress", { max: total, value: here, "aria-label": "Tasks loaded" }) : "";
    this.#state(words, bar, step);
    // A list that is read after the execution may hold more already.
    const differs = walk.complete && (total > here || (total < here && !this.#going));
    const said = differs ? [`the execution counts ${plural(total, "task")}, but the list holds ${count(here)}`] : [];
    const failed = walk.state === "failed" ? trouble("A page of tasks could not be read", walk.error) : "";
    this.more.replaceChildren(...[failed, notes([...walk.notes, ...said])].filter(Boolean));
  }

  /* Whoever stops the loading wants quiet. */
  #pause() {
    this.walk.pause();
    this.following?.pause();
  }

  #resume() {
    this.walk.run();
    this.following?.resume();
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
      ["ended", moment(task.to)],
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

/* Whether an answer tells more than another; without counts nobody can say, so it does. */
function newer(detail, than) {
  const told = ({ execution: { status, started_at, tasks, succeeded, failed, running, cancelled, retried }, failures }) =>
    JSON.stringify([status, started_at, tasks, succeeded, failed, running, cancelled, retried, failures]);
  return detail.execution.tasks === undefined || told(detail) !== told(than);
}
