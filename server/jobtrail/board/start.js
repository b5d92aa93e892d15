/* Where to begin: what is going on, what failed, what was missed, and how each job is doing. Each part is asked for by
   itself, so that one which fails says so and leaves the others. */

const FEW_ROWS = 8; // of what failed: each page reads logs

async function showStart(board, route, signal) {
  return el(
    "article",
    { class: "start" },
    el(
      "header",
      { class: "head" },
      el("h1", {}, "What ran, what failed, and why"),
      el(
        "p",
        { class: "asof" },
        `as of ${clock(Date.now())}`,
        button("Look again", () => board.go({ view: "start" }, true)),
      ),
    ),
    [activePart, failedPart, missedPart, jobsPart].map((show) => show(board, signal)),
  );
}

/* A part with a heading that tells what was found; `title` makes it of the walk so far. */
function part(name, noun, title, heads, walkOf, rowOf) {
  const heading = el("h2", {}, name),
    aside = el("span", { class: "aside" });
  const table = walkTable(heads, noun, walkOf, rowOf, (walk) => {
    const words = walk.page ? title(walk) : name;
    if (heading.textContent !== words) heading.textContent = words;
    if (walk.page) aside.replaceChildren(...[sampleTag(walk.page)].filter(Boolean));
  });
  return el("section", { "aria-label": name }, el("div", { class: "title" }, heading, aside), table);
}

/* That there is nothing is said only when everything was read. */
function found(walk, words, nothing, none) {
  if (walk.items.length) return words;
  return walk.complete ? nothing : none;
}

function activePart(board, signal) {
  const title = (walk) =>
    found(
      walk,
      `${walk.whole ? "" : "At least "}${count(walk.items.length)} queued or running`,
      "Nothing is queued or running",
      "Nothing queued or running was found, but not everything was read",
    );
  return part(
    "What is going on",
    "row",
    title,
    ["job", "status", "for", "usual", "tasks", "stands out"],
    (came) => new Walk((args, left) => board.call("list_active", args, left), {}, came, signal, MANY_ROWS),
    (one, walk) => [
      [linkTo(board, attemptRoute(one, one.id), one.job), sourceOf(walk, one)],
      statusMark(one.status, one.raw_status),
      el("span", { title: moment(one.since) }, lasting(one.so_far_s)),
      one.p50_s === undefined ? "" : `${lasting(one.p50_s)}, p95 ${lasting(one.p95_s)}`,
      one.tasks === undefined ? "" : `${count(one.done ?? 0)} of ${count(one.tasks)}`,
      one.verdict ? foreign(one.verdict, { class: "warns" }) : "",
    ],
  );
}

function failedPart(board, signal) {
  const title = (walk) => {
    const { window, failures_found: all } = walk.page,
      since = moment(window.since),
      failures = all ?? walk.items.reduce((sum, one) => sum + one.count, 0);
    return found(
      walk,
      `${walk.whole ? "" : "At least "}${plural(failures, "failure")} since ${since}`,
      `Nothing failed since ${since}`,
      `No failure found since ${since}, but not everything was read`,
    );
  };
  const ask = async (args, left) => {
    const answer = await board.call("find_failures", args.cursor ? args : { limit: FEW_ROWS }, left);
    return { ...answer, items: answer.causes };
  };
  return part(
    "What failed",
    "cause",
    title,
    ["job", "status", "count", "cause", "last", "since then"],
    (came) => new Walk(ask, {}, came, signal, 2 * FEW_ROWS),
    (one, walk) => [
      [linkTo(board, attemptRoute(one, one.example), one.job), sourceOf(walk, one)],
      statusMark(one.status),
      count(one.count),
      foreign(one.cause, { class: "example" }),
      whole(moment(one.last_at)),
      one.recovered === undefined ? "" : one.recovered ? "recovered" : whole("not recovered", "bad"),
    ],
  );
}

function missedPart(board, signal) {
  const title = (walk) => {
    const { window, missed, late, skipped } = walk.page;
    const counts = [
      [missed, "missed"],
      [late, "late"],
      [skipped, "skipped"],
    ].filter(([number]) => number);
    const since = `since ${moment(window.since)}`;
    return found(
      walk,
      `${counts.map(([number, word]) => `${count(number)} ${word}`).join(", ") || "Held or never ran"} ${since}`,
      `Nothing was missed ${since}`,
      `Nothing missed was found ${since}, but not everything was judged`,
    );
  };
  return part(
    "What was missed",
    "row",
    title,
    ["job", "state", "of due", "when", "next due", "schedule", "reason"],
    (came) => new Walk((args, left) => board.call("find_missed", args, left), {}, came, signal, MANY_ROWS),
    (one, walk) => [
      [linkTo(board, historyRoute(one), one.job), sourceOf(walk, one)],
      [
        statusMark(one.state),
        one.late_by_s === undefined ? "" : ` by ${lasting(one.late_by_s)}`,
      ],
      `${count(one[one.state === "never ran" ? "missed" : one.state] ?? one.missed)} of ${count(one.due)}`,
      [
        whole(moment(one.first_at)),
        one.last_at === one.first_at ? "" : [" – ", whole(moment(one.last_at))],
      ].flat(),
      whole(moment(one.next_due_at)),
      one.schedule ? foreign(one.schedule, { class: "code" }) : "",
      one.reason ? foreign(one.reason) : "",
    ],
  );
}

function jobsPart(board, signal) {
  const title = (walk) => `Jobs since ${moment(walk.page.window.since)}, the worst first`;
  return part(
    "All jobs",
    "job",
    title,
    ["job", "last", "succeeded", "before", "runs", "failures", "p50", "p95", "last success", "next run"],
    (came) => new Walk((args, left) => board.call("history", args, left), {}, came, signal, MANY_ROWS),
    (one, walk) => [
      [linkTo(board, historyRoute({ ...one, job: one.name }), one.name), sourceOf(walk, one)],
      one.last_status ? [statusMark(one.last_status), ` ${ago(one.last_ago_s)}`] : "nothing kept",
      percent(one.rate),
      one.rate_before === undefined ? (one.runs_before === 0 ? "no runs" : "") : percent(one.rate_before),
      count(one.runs),
      count(one.failures),
      lasting(one.p50_s),
      lasting(one.p95_s),
      one.never_succeeded ? "never" : ago(one.success_ago_s),
      one.next_in_s === undefined ? "" : `in ${roughly(one.next_in_s)}`,
    ],
  );
}

function linkTo(board, route, text) {
  return el("button", { type: "button", class: "link name", onclick: () => board.go(route) }, foreign(text));
}

/* Which source, where there are several. */
function sourceOf(walk, one) {
  return walk.page?.sources?.length > 1 ? foreign(one.source, { class: "quiet source" }) : "";
}

function attemptRoute(one, id) {
  return one.kind === "execution"
    ? { view: "execution", job: one.job, execution: id, source: one.source }
    : { view: "run", run: id, source: one.source };
}

function historyRoute({ job, source }) {
  return { view: "history", job, source };
}
