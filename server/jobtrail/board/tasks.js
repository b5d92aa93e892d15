/* Tasks as the views use them: with times as numbers, put in order, and described. */

/* A task as the views use it: its times as numbers, `to` null while it runs on. */
function taskOf(task) {
  const to = instant(task.ended_at),
    from = task.started_at ? instant(task.started_at) : to - task.duration_s * 1000; // a list tells the start by the duration
  return {
    ...task,
    from,
    to: Number.isNaN(to) && task.status === "running" ? null : to,
    signature: BAD.has(task.status) ? signature(task.reason) : "",
  };
}

const ORDERS = {
  start: ["by start", (a, b) => earlier(a.from, b.from) || byName(a, b)],
  end: ["by end", (a, b) => earlier(a.to ?? Infinity, b.to ?? Infinity) || byName(a, b)],
  longest: ["longest first", (a, b) => (b.duration_s ?? -1) - (a.duration_s ?? -1) || byName(a, b)],
  name: ["by name", (a, b) => naturally.compare(a.name, b.name)],
  status: [
    "by status",
    (a, b) =>
      STATUSES.indexOf(kindOf(a.status)) - STATUSES.indexOf(kindOf(b.status)) ||
      earlier(a.from, b.from) ||
      byName(a, b),
  ],
};
const naturally = new Intl.Collator("en", { numeric: true });

/* NaN, a time that is not known, comes last. */
function earlier(a, b) {
  return (Number.isNaN(a) ? Infinity : a) - (Number.isNaN(b) ? Infinity : b) || 0;
}

/* Puts task-9 before task-10 at little cost: many thousand tasks may have begun together. */
function byName(a, b) {
  return a.name.length - b.name.length || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/* From the first to the last moment that is known of some tasks; the wrong way round where none is. */
function spanOf(tasks) {
  let from = Infinity,
    to = -Infinity;
  for (const task of tasks) {
    for (const at of [task.from, task.to]) {
      if (at === null) continue;
      if (at < from) from = at;
      if (at > to) to = at;
    }
  }
  return [from, to];
}

function timesUnknown(task) {
  if (!Number.isNaN(task.from)) return `began ${clock(task.from)}, its end is not known`;
  if (task.to !== null && !Number.isNaN(task.to)) return `ended ${clock(task.to)}, its start is not known`;
  return task.status === "queued" ? "not started" : "no times known";
}

/* What a row says only by its sign and its bar, for those who hear it. */
function spoken(task) {
  const status = task.raw_status ? `${task.status} (${task.raw_status})` : task.status;
  const began = Number.isNaN(task.from) ? "" : `began ${clock(task.from)}`;
  return `, ${[status, began, task.reason].filter(Boolean).join(", ")}. `;
}
