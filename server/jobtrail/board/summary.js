/* An execution in a few lines, and one of its tasks. */

/* `show` puts a newer answer into the lines; what can be pressed stays. */
function executionHead(board, detail, of, asOf = "") {
  const one = detail.execution;
  const verdict = el("p", { class: "verdict" }),
    numbers = el("div");
  const history = () => board.go({ view: "history", job: one.job, source: detail.source });
  const actions = board.bridge.canCall && [
    one.job ? button("History of this job", history) : "",
    button("Compare with the last good one", () => board.go({ view: "compare", ...of })),
    button("Reload", () => board.go({ view: "execution", ...of }, true)),
  ];
  const head = el(
    "header",
    { class: "head" },
    el("h1", {}, foreign(one.job ?? "execution"), " ", foreign(one.id, { class: "id" })),
    verdict,
    numbers,
    asOf,
    actions ? el("p", { class: "actions" }, actions) : "",
  );
  head.show = (now) => {
    verdict.replaceChildren(...verdictOf(now));
    numbers.replaceChildren(numbersOf(now));
  };
  head.show(detail);
  return head;
}

function verdictOf(detail) {
  const { status, raw_status: raw } = detail.execution;
  const rest = detail.verdict.split(": ").slice(1).join(": "); // it begins with the status
  return [statusMark(status, raw), foreign(rest), sampleTag(detail)].filter(Boolean);
}

function numbersOf(detail) {
  const one = detail.execution;
  return facts([
    ["created", moment(one.created_at)],
    ["started", moment(one.started_at)],
    ["ended", moment(one.ended_at)],
    ["queued", lasting(detail.queued_s)],
    ["ran", lasting(one.duration_s)],
    ["parallelism", count(detail.parallelism)],
    ["timeout", lasting(detail.timeout_s)],
    ["retried", count(one.retried)],
    ["source", detail.source],
  ]);
}

function taskDetail(task, clockOf) {
  const ended = task.to === null ? "still running" : clockOf(task.to) || "end not known";
  return [
    el(
      "p",
      { class: "line" },
      statusMark(task.status, task.raw_status),
      foreign(task.name, { class: "name" }),
      el("span", {}, Number.isNaN(task.from) ? timesUnknown(task) : `${clockOf(task.from)} – ${ended}`),
      el("span", {}, lasting(task.duration_s)),
    ),
    el("p", { class: "reason" }, foreign(task.reason)),
  ];
}
