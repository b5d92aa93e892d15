/* Failures by cause, as get_execution grouped them. A press on one keeps only its tasks. */

function causeList(choose) {
  const list = el("ul", { class: "causes" });
  let rows = [];
  list.choose = (cause) => rows.forEach((row) => row.setAttribute("aria-pressed", String(row.cause === cause)));
  /* A cause that was there before keeps its row, and with it the focus. */
  list.show = (failures) => {
    const most = Math.max(1, ...failures.map((one) => one.count));
    const focused = rows.find((row) => row === document.activeElement);
    const had = rows;
    rows = failures.map((one) => had.find((row) => sameCause(row.cause, one)) ?? causeRow(choose));
    failures.forEach((one, place) => fillCause(rows[place], one, most));
    if (rows.length === had.length && rows.every((row, place) => row === had[place])) return;
    list.replaceChildren(...rows.map((row) => el("li", {}, row)));
    if (rows.includes(focused)) focused.focus({ preventScroll: true });
  };
  return list;
}

function causeRow(choose) {
  const row = button("", () => choose(row.getAttribute("aria-pressed") === "true" ? null : row.cause), {
    class: "cause",
    "aria-pressed": "false",
  });
  return row;
}

function fillCause(row, one, most) {
  const bar = el("span", { class: "share" });
  bar.style.width = `${(one.count / most) * 100}%`;
  row.cause = one;
  row.replaceChildren(
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
}

const RARER = /^\(\d+ rarer causes\)$/;

function sameCause(a, b) {
  return a.signature === b.signature || (RARER.test(a.signature) && RARER.test(b.signature));
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
  const rarer = RARER.test(cause.signature);
  return (task) => BAD.has(task.status) && (rarer ? !named.has(task.signature) : task.signature === cause.signature);
}
