/* An execution in a few lines, and one of its tasks. */

function executionHead(board, detail, of) {
  const one = detail.execution;
  const history = () => board.go({ view: "history", job: one.job, source: detail.source });
  const actions = board.bridge.canCall && [
    one.job ? button("History of this job", history) : "",
    button("Reload", () => board.go({ view: "execution", ...of }, true)),
  ];
  return el(
    "header",
    { class: "head" },
    el("h1", {}, foreign(one.job ?? "execution"), " ", foreign(one.id, { class: "id" })),
    el(
      "p",
      { class: "verdict" },
      statusMark(one.status, one.raw_status),
      foreign(detail.verdict.split(": ").slice(1).join(": ")), // it begins with the status
      sampleTag(detail),
    ),
    facts([
      ["created", moment(one.created_at)],
      ["started", moment(one.started_at)],
      ["ended", moment(one.ended_at)],
      ["queued", lasting(detail.queued_s)],
      ["ran", lasting(one.duration_s)],
      ["parallelism", count(detail.parallelism)],
      ["timeout", lasting(detail.timeout_s)],
      ["retried", count(one.stats?.retried)],
      ["source", detail.source],
    ]),
    actions ? el("p", { class: "actions" }, actions) : "",
  );
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
