/* Failures by cause, as get_execution grouped them. A press on one keeps only its tasks. */

function causeList(detail, choose) {
  const most = Math.max(1, ...detail.failures.map((one) => one.count));
  const rows = detail.failures.map((one) => {
    const bar = el("span", { class: "share" });
    bar.style.width = `${(one.count / most) * 100}%`;
    const row = button("", () => choose(row.getAttribute("aria-pressed") === "true" ? null : one), {
      class: "cause",
      "aria-pressed": "false",
    });
    row.append(
      el(
        "span",
        { class: "count" },
        count(one.count),
        el("span", { class: "unseen" }, one.count === 1 ? " task: " : " tasks: "),
      ),
      el("span", { class: "shares" }, bar),
      foreign(one.example, { class: "example", title: one.signature }),
      el("span", { class: "when" }, stretch(one)),
    );
    row.cause = one;
    return row;
  });
  const list = el(
    "ul",
    { class: "causes" },
    rows.map((row) => el("li", {}, row)),
  );
  list.choose = (cause) => rows.forEach((row) => row.setAttribute("aria-pressed", String(row.cause === cause)));
  return list;
}

function stretch(cause) {
  const from = instant(cause.first_at),
    to = instant(cause.last_at);
  if (Number.isNaN(from)) return "";
  return from === to || Number.isNaN(to) ? clock(from) : `${clock(from)} – ${clock(to)}`;
}

function causesTitle(detail) {
  const { scanned, matched, complete } = detail.coverage;
  if (!detail.failures.length)
    return complete
      ? ENDED.has(detail.execution.status)
        ? "No task failed"
        : "No task has failed yet"
      : `No failed task among the first ${count(scanned)}`;
  const of = complete ? "from all tasks" : `PARTIAL: only ${plural(scanned, "task")} read for this`;
  return `${plural(matched, "failed task")} by cause, ${of}`;
}

/* Which tasks belong to a cause. The last group of an answer may stand for all rarer causes together. */
function ofCause(cause, all) {
  const named = new Set(all.filter((one) => one !== cause).map((one) => one.signature));
  const rarer = /^\(\d+ rarer causes\)$/.test(cause.signature);
  return (task) => BAD.has(task.status) && (rarer ? !named.has(task.signature) : task.signature === cause.signature);
}
