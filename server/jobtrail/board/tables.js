/* Lists as tables, whose rows come page by page: jobs, and what a job ran in a stretch of time. */

const MANY_ROWS = 300; // then somebody says whether to go on

/* How far a list has come, and what can be done about what is missing. */
function walkState(walk, noun) {
  const here = plural(walk.items.length, noun);
  const words = {
    loading: walk.items.length ? `${here} so far …` : "Asking …",
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

/* A table; `body` takes its rows. A cell knows its column, which a narrow window shows beside it. */
function tableOf(heads, rows = [], body = el("tbody")) {
  body.append(...rows.map((cells) => tableRow(heads, cells)));
  const head = heads.map((name) => el("th", { scope: "col", role: "columnheader" }, name));
  return el(
    "table",
    { role: "table" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)),
    body,
  );
}

/* The roles are said, since a table that is laid out otherwise loses them. */
function tableRow(heads, cells) {
  return el(
    "tr",
    { role: "row" },
    cells.map((cell, at) => el("td", { role: "cell", "data-head": heads[at] }, cell)),
  );
}

/* A table whose rows come page by page; without rows there is none. rowOf(item, walk) makes a row's cells. */
function walkTable(heads, noun, walkOf, rowOf, changed = () => undefined) {
  const body = el("tbody", { role: "rowgroup" }),
    table = tableOf(heads, [], body),
    state = el("div");
  const walk = walkOf((items) => {
    body.append(...items.map((one) => tableRow(heads, rowOf(one, walk))));
    table.hidden = !walk.items.length;
    state.replaceChildren(...walkState(walk, noun));
    changed(walk);
  });
  table.hidden = true;
  walk.run();
  return el("div", {}, table, state);
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
  return [
    statusMark(one.status, one.raw_status, one.failure),
    whole(moment(one.created_at)),
    lasting(one.duration_s),
    ...last,
    el("button", { type: "button", class: "link code", onclick: go }, foreign(one.id)),
  ];
}
