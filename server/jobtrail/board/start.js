/* Where to begin: sources, what failed lately, and jobs; and the lists of attempts that lead on. */

async function showStart(board, route, signal) {
  const failures = el("section", { "aria-label": "Failures of the last 24 hours" }, el("h2", {}, "Failures"), waitingFor("find_failures"));
  const jobs = el("div", { class: "sources" });
  const element = el("article", { class: "start" }, el("header", { class: "head" }, el("h1", {}, "What ran, what failed, and why")), failures, jobs);
  board.call("find_failures", { limit: 20 }, signal).then((answer) => {
    failures.replaceWith(failureSection(board, answer));
    jobs.append(...answer.sources.map((source) => jobSection(board, source, signal)));
  }, (error) => {
    if (!signal.aborted) failures.replaceChildren(trouble("The failures could not be read", error.message, button("Try again", () => board.go({ view: "start" }, true))));
  });
  return element;
}

function waitingFor(what) {
  return el("p", { class: "quiet" }, `Asking ${what} …`);
}

function failureSection(board, answer) {
  const since = moment(answer.window.since);
  const title = answer.failures ? `${plural(answer.failures, "failure")} since ${since}` : answer.coverage.complete && !answer.errors
    ? `Nothing failed since ${since}` : `No failure found since ${since}, but not everything was read`;
  const rows = answer.causes.map((one) => el("li", {}, el("button", { type: "button", class: "cause", onclick: () => board.go(routeTo(one)) },
    el("span", { class: "count" }, count(one.count)), el("span", { class: "job" }, foreign(one.job), answer.sources.length > 1 ? foreign(one.source, { class: "quiet" }) : ""),
    el("span", {}, statusMark(one.status)), foreign(one.cause, { class: "example" }),
    el("span", { class: "when" }, moment(one.last_at)), el("span", { class: "quiet" }, one.recovered === undefined ? "" : one.recovered ? "recovered" : "not recovered"))));
  const errors = Object.entries(answer.errors ?? {}).map(([source, text]) => `${source} could not be read: ${text}`);
  return el("section", { "aria-label": "Failures of the last 24 hours" }, el("h2", {}, title), errors.length ? notes(errors, "Errors") : "",
    el("ul", { class: "causes wide" }, rows), notes([...(answer.notes ?? []), ...(answer.cursor ? ["older ones were not read yet"] : [])]));
}

function routeTo(cause) {
  return cause.kind === "execution" ? { view: "execution", job: cause.job, execution: cause.example, source: cause.source }
    : { view: "run", run: cause.example, source: cause.source };
}

/* The jobs of a source, all pages of them. */
function jobSection(board, source, signal) {
  const body = el("tbody"), state = el("div", {}, waitingFor("list_jobs"));
  const walk = new Walk((args, left) => board.call("list_jobs", args, left), { source }, (items) => {
    body.append(...items.map((job) => jobRow(board, source, job)));
    state.replaceChildren(...[
      walk.state === "failed" ? trouble("The jobs could not be read", walk.error, button("Try again", () => walk.run())) : "",
      walk.state === "ended" ? el("p", { class: "quiet" }, `${walk.complete ? "all" : "INCOMPLETE:"} ${plural(walk.items.length, "job")}`) : "",
      notes([...walk.notes]),
    ].filter(Boolean));
  }, signal);
  if (board.bridge.canCall) walk.run();
  return el("section", {}, el("h2", {}, "Jobs of ", foreign(source)), el("table", {}, el("thead", {}, el("tr", {},
    ["job", "kind", "status", "schedule", "next run"].map((name) => el("th", { scope: "col" }, name)))), body), state);
}

function jobRow(board, source, job) {
  return el("tr", {}, el("td", {}, el("button", { type: "button", class: "link", onclick: () => board.go({ view: "history", job: job.name, source }) }, foreign(job.name))),
    el("td", {}, job.kind), el("td", {}, foreign(job.status)), el("td", {}, foreign(job.schedule, { class: "code" })), el("td", {}, moment(job.next_run_at)));
}

/* Executions or runs of a job in a stretch of time, page by page. */
function attemptList(board, of, window, signal) {
  const executions = of.kind === "job", tool = executions ? "list_executions" : "list_runs";
  const body = el("tbody"), state = el("div", {}, waitingFor(tool));
  const first = { [executions ? "job" : "task"]: of.job, source: of.source, ...window };
  const walk = new Walk((args, left) => board.call(tool, args, left), first, (items) => {
    body.append(...items.map((one) => attemptRow(board, of, one)));
    state.replaceChildren(...[
      walk.state === "failed" ? trouble("The list could not be read whole", walk.error, button("Try again", () => walk.run())) : "",
      walk.state === "ended" ? el("p", { class: "quiet" }, `${walk.complete ? "all" : "INCOMPLETE:"} ${plural(walk.items.length, executions ? "execution" : "run")}`) : "",
      walk.state === "loading" ? el("p", { class: "quiet" }, `${count(walk.items.length)} so far …`) : "", notes([...walk.notes]),
    ].filter(Boolean));
  }, signal);
  walk.run();
  return el("div", {}, el("table", {}, el("thead", {}, el("tr", {},
    ["status", "created", "took", executions ? "tasks" : "exit", executions ? "failed" : "trigger", "id"].map((name) => el("th", { scope: "col" }, name)))), body), state);
}

function attemptRow(board, of, one) {
  const go = () => board.go(of.kind === "job" ? { view: "execution", job: of.job, execution: one.id, source: of.source } : { view: "run", run: one.id, source: of.source });
  const last = of.kind === "job" ? [count(one.stats?.total), count(one.stats?.failed)] : [one.exit_code === undefined ? "" : String(one.exit_code), foreign(one.trigger)];
  return el("tr", {}, el("td", {}, statusMark(one.status, one.raw_status)), el("td", {}, moment(one.created_at)), el("td", { class: "number" }, lasting(one.duration_s)),
    ...last.map((cell) => el("td", { class: "number" }, cell)), el("td", {}, el("button", { type: "button", class: "link code", onclick: go }, foreign(one.id))));
}

async function showRun(board, route, signal) {
  const detail = await board.call("get_run", pick(route, "run", "source"), signal), one = detail.run;
  const tail = detail.log?.lines.map((text, at) => logLine({ n: detail.log.first_line + at, text }));
  return el("article", { class: "run" },
    el("header", { class: "head" }, el("h1", {}, foreign(one.task ?? "run"), " ", foreign(one.id, { class: "id" })),
      el("p", { class: "verdict" }, statusMark(one.status, one.raw_status), foreign(detail.verdict), sampleTag(detail)),
      facts([["created", moment(one.created_at)], ["started", moment(one.started_at)], ["ended", moment(one.ended_at)], ["queued", lasting(detail.queued_s)],
        ["ran", lasting(one.duration_s)], ["exit code", one.exit_code === undefined ? "" : String(one.exit_code)], ["trigger", foreign(one.trigger)], ["source", detail.source]]),
      el("p", { class: "actions" }, one.task ? button("History of this job", () => board.go({ view: "history", job: one.task, source: detail.source })) : "",
        button("Open the log", () => board.log.open(one.id, { run: one.id, source: detail.source })))),
    el("section", { "aria-label": "End of the log" }, el("h2", {}, tail ? `The last ${plural(tail.length, "line")} of ${count(detail.log.total_lines)}` : "No log at hand"),
      tail ? el("ol", { class: "lines" }, tail) : "", notes(detail.notes)));
}
