/* Lists as tables, whose rows come page by page: jobs, and what a job ran in a stretch of time. */

const MANY_ROWS = 300; // then somebody says whether to go on

/* How far a list has come, and what can be done about what is missing. */
function walkState(walk, noun) {
  const here = plural(walk.items.length, noun);
  const words = {
    loading: `${here} so far …`,
    paused: `${here} so far, more to read `,
    failed: "",
    ended: walk.complete ? `all ${here}` : `INCOMPLETE: ${here}, and the source gives no more`,
  }[walk.state];
  return [
    walk.state === "failed"
      ? trouble(
          walk.items.length ? `INCOMPLETE: ${here}, and the rest could not be read` : `No ${noun} could be read`,
          walk.error,
          button("Try again", () => walk.run()),
        )
      : "",
    words
      ? el("p", { class: "quiet" }, words, walk.state === "paused" ? button("Load more", () => walk.run()) : "")
      : "",
    notes([...walk.notes]),
  ].filter(Boolean);
}

/* A table whose rows come page by page. */
function walkTable(heads, noun, walkOf, rowOf) {
  const body = el("tbody"),
    state = el("div");
  const walk = walkOf((items) => {
    body.append(...items.map(rowOf));
    state.replaceChildren(...walkState(walk, noun));
  });
  walk.run();
  return el(
    "div",
    {},
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          heads.map((name) => el("th", { scope: "col" }, name)),
        ),
      ),
      body,
    ),
    state,
  );
}

/* Executions or runs of a job in a stretch of time. */
function attemptList(board, of, window, signal) {
  const executions = of.kind === "job",
    tool = executions ? "list_executions" : "list_runs";
  const first = { job: of.job, source: of.source, ...window };
  return walkTable(
    ["status", "created", "took", executions ? "tasks" : "exit", executions ? "failed" : "trigger", "id"],
    executions ? "execution" : "run",
    (came) => new Walk((args, left) => board.call(tool, args, left), first, came, signal, MANY_ROWS),
    (one) => attemptRow(board, of, one),
  );
}

function attemptRow(board, of, one) {
  const go = () =>
    board.go(
      of.kind === "job"
        ? { view: "execution", job: of.job, execution: one.id, source: of.source }
        : { view: "run", run: one.id, source: of.source },
    );
  const last =
    of.kind === "job"
      ? [count(one.tasks), count(one.failed)]
      : [one.exit_code === undefined ? "" : String(one.exit_code), foreign(one.trigger)];
  return el(
    "tr",
    {},
    el("td", {}, statusMark(one.status, one.raw_status, one.failure)),
    el("td", {}, moment(one.created_at)),
    el("td", { class: "number" }, lasting(one.duration_s)),
    ...last.map((cell) => el("td", { class: "number" }, cell)),
    el("td", {}, el("button", { type: "button", class: "link code", onclick: go }, foreign(one.id))),
  );
}
