/* One run of a scheduled task, with the end of its log. */

async function showRun(board, route, signal) {
  const detail = await board.call("get_run", pick(route, "run", "source"), signal),
    one = detail.run;
  const tail = detail.log?.lines.map((text, at) => logLine({ n: detail.log.first_line + at, text }));
  return el(
    "article",
    { class: "run" },
    el(
      "header",
      { class: "head" },
      el("h1", {}, foreign(one.job ?? "run"), " ", foreign(one.id, { class: "id" })),
      el(
        "p",
        { class: "verdict" },
        statusMark(one.status, one.raw_status, one.failure),
        foreign(detail.verdict),
        sampleTag(detail),
      ),
      facts([
        ["created", moment(one.created_at)],
        ["started", moment(one.started_at)],
        ["ended", moment(one.ended_at)],
        ["queued", lasting(detail.queued_s)],
        ["ran", lasting(one.duration_s)],
        ["exit code", one.exit_code === undefined ? "" : String(one.exit_code)],
        ["trigger", foreign(one.trigger)],
        ["source", detail.source],
      ]),
      el(
        "p",
        { class: "actions" },
        one.job
          ? button("History of this job", () => board.go({ view: "history", job: one.job, source: detail.source }))
          : "",
        button("Compare with the last good one", () =>
          board.go({ view: "compare", run: one.id, source: detail.source }),
        ),
        button("Open the log", () => board.log.open(one.id, { run: one.id, source: detail.source })),
      ),
    ),
    el(
      "section",
      { "aria-label": "End of the log" },
      el(
        "h2",
        {},
        tail ? `The last ${plural(tail.length, "line")} of ${count(detail.log.total_lines)}` : "Log",
      ),
      tail ? el("ol", { class: "lines" }, tail) : "",
      notes(detail.notes),
    ),
  );
}
