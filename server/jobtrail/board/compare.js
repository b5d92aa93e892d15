/* What differs between an execution or a run and the last good one before it: facts, tasks, causes. */

async function showCompare(board, route, signal) {
  const answer = await board.call("compare", pick(route, "job", "execution", "run", "with", "source"), signal);
  const kind = answer.next_calls.some((call) => call.startsWith("get_run(")) ? "run" : "execution";
  const link = (id) => {
    const of = attemptRoute({ job: answer.job, kind, source: answer.source }, id);
    return el("button", { type: "button", class: "link code", onclick: () => board.go(of) }, foreign(id));
  };
  return el(
    "article",
    { class: "compare" },
    el(
      "header",
      { class: "head" },
      el("h1", {}, foreign(answer.job), " ", el("span", { class: "id" }, "compared")),
      el(
        "p",
        { class: "verdict" },
        statusMark(answer.this.status),
        foreign(answer.verdict.split("; ").slice(1).join("; ")), // it begins with the status
        sampleTag(answer),
      ),
      facts([
        ["this", sideOf(answer.this, link)],
        ["base", answer.base ? sideOf(answer.base, link) : "there is none"],
        ["source", answer.source],
      ]),
      notes(answer.notes),
    ),
    answer.base ? differencesOf(answer) : "",
    answer.tasks.length ? tasksOf(answer) : "",
    answer.causes.length ? causesOf(answer, kind, link) : "",
  );
}

function sideOf(side, link) {
  const read = side.tasks === undefined ? "" : ` ${count(side.tasks_read)} of ${plural(side.tasks, "task")} read`;
  return el("span", {}, statusMark(side.status), " ", link(side.id), read);
}

function differencesOf({ differences, same, not_compared: untold }) {
  const alike = Object.entries(same).map(([name, value]) => `${name} ${value}`);
  return el(
    "section",
    { "aria-label": "What differs" },
    el("h2", {}, differences.length ? "What differs" : "No fact differs"),
    differences.length
      ? tableOf(
          ["what", "this", "base", "change"],
          differences.map((one) => [
            el("strong", {}, foreign(one.what)),
            foreign(one.this),
            foreign(one.base),
            one.change ? foreign(one.change) : "",
          ]),
        )
      : "",
    alike.length ? el("p", { class: "quiet" }, "the same: ", foreign(alike.join(" · "))) : "",
    untold?.length ? el("p", { class: "quiet" }, "not told, so not compared: ", foreign(untold.join(", "))) : "",
  );
}

function tasksOf({ tasks }) {
  return el(
    "section",
    { "aria-label": "Tasks that differ" },
    el("h2", {}, "Tasks that failed only here, are new, gone or much slower"),
    tableOf(
      ["task", "change", "this", "base"],
      tasks.map((one) => [foreign(one.name), one.change, outcomeOf(one.this), outcomeOf(one.base)]),
    ),
  );
}

/* A status with how long it took, as `failed 2m`. */
function outcomeOf(text) {
  if (!text) return "";
  const [status, ...took] = text.split(" ");
  return [statusMark(status), ` ${took.join(" ")}`];
}

function causesOf({ causes, coverage }, kind, link) {
  const { scanned, complete, back_to: back } = coverage;
  const reach = `looked at ${plural(scanned, kind)} before it${back ? `, back to ${moment(back)}` : ""}`;
  return el(
    "section",
    { "aria-label": "Causes" },
    el("h2", {}, "Causes, and since when"),
    tableOf(
      ["cause", "tasks", "failures before", "since", "first"],
      causes.map((one) => [
        foreign(one.cause, { class: "example" }),
        count(one.tasks),
        one.before ? count(one.before) : whole("none: it is new", "bad"),
        whole(moment(one.first_at)),
        link(one.first),
      ]),
    ),
    el("p", { class: "quiet" }, complete ? reach : `${reach}; there are older ones`),
  );
}
