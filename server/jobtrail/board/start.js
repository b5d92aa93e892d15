/* Where to begin: what failed lately, and the jobs of each source. */

async function showStart(board, route, signal) {
  const failures = el(
    "section",
    { "aria-label": "Failures of the last 24 hours" },
    el("h2", {}, "Failures"),
    waitingFor("find_failures"),
  );
  const jobs = el("div", { class: "sources" });
  const element = el(
    "article",
    { class: "start" },
    el("header", { class: "head" }, el("h1", {}, "What ran, what failed, and why")),
    failures,
    jobs,
  );
  const shown = (answer) => {
    failures.replaceWith(failureSection(board, answer));
    jobs.append(...answer.sources.map((source) => jobSection(board, source, signal)));
  };
  const failed = (error) => {
    if (signal.aborted) return;
    const again = button("Try again", () => board.go({ view: "start" }, true));
    failures.replaceChildren(trouble("The failures could not be read", error.message, again));
    jobs.append(jobSection(board, "", signal)); // of the default source, whose name is not known here
  };
  board.call("find_failures", { limit: 20 }, signal).then(shown, failed);
  return element;
}

function waitingFor(what) {
  return el("p", { class: "quiet" }, `Asking ${what} …`);
}

function failureSection(board, answer) {
  const errors = Object.entries(answer.errors ?? {}).map(([source, text]) => `${source} could not be read: ${text}`);
  const several = answer.sources.length > 1;
  return el(
    "section",
    { "aria-label": "Failures of the last 24 hours" },
    el("h2", {}, failuresTitle(answer)),
    notes(errors, "Errors"),
    el(
      "ul",
      { class: "causes wide" },
      answer.causes.map((one) => el("li", {}, failureRow(board, one, several))),
    ),
    notes([...(answer.notes ?? []), ...(answer.cursor ? ["older ones were not read yet"] : [])]),
  );
}

/* "Nothing failed" is said only when everything was read. */
function failuresTitle(answer) {
  const since = moment(answer.window.since),
    whole = answer.coverage.complete && !answer.errors;
  if (answer.failures) return `${whole ? "" : "At least "}${plural(answer.failures, "failure")} since ${since}`;
  return whole ? `Nothing failed since ${since}` : `No failure found since ${since}, but not everything was read`;
}

function failureRow(board, one, several) {
  const recovered = { true: "recovered", false: "not recovered" }[one.recovered];
  const row = button("", () => board.go(routeTo(one)), { class: "cause" });
  row.append(
    el("span", { class: "count" }, count(one.count)),
    el("span", { class: "job" }, foreign(one.job), several ? foreign(one.source, { class: "quiet" }) : ""),
    el("span", {}, statusMark(one.status)),
    foreign(one.cause, { class: "example" }),
    el("span", { class: "when" }, moment(one.last_at)),
    el("span", { class: "quiet" }, recovered ?? ""),
  );
  return row;
}

function routeTo(cause) {
  return cause.kind === "execution"
    ? { view: "execution", job: cause.job, execution: cause.example, source: cause.source }
    : { view: "run", run: cause.example, source: cause.source };
}

function jobSection(board, source, signal) {
  return el(
    "section",
    { "aria-label": `Jobs ${source}` },
    el("h2", {}, source ? "Jobs of " : "Jobs", foreign(source)),
    walkTable(
      ["job", "kind", "deployment", "schedule", "next run"],
      "job",
      (came) =>
        new Walk(
          (args, left) => board.call("list_jobs", args, left),
          source ? { source } : {},
          came,
          signal,
          MANY_ROWS,
        ),
      (job) => jobRow(board, source, job),
    ),
  );
}

function jobRow(board, source, job) {
  return el(
    "tr",
    {},
    el(
      "td",
      {},
      el(
        "button",
        { type: "button", class: "link", onclick: () => board.go({ view: "history", job: job.name, source }) },
        foreign(job.name),
      ),
    ),
    el("td", {}, job.kind),
    el("td", {}, foreign(job.deployment)),
    el("td", {}, foreign(job.schedule, { class: "code" })),
    el("td", {}, moment(job.next_run_at)),
  );
}
