/* The log of a task or a run, in a dialog: the last lines first, older ones and newer ones at a press, or those that match. */

class LogDialog {
  #leave = null;

  constructor(call) {
    this.call = call;
    this.dialog = document.getElementById("log");
    this.dialog.addEventListener("close", () => this.#leave?.abort(new Error("the log was closed")));
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close(); // beside the dialog
    });
  }

  /* of: {run} or {job, execution, task}, and source. Facts and reason are what is known without the log. */
  open(title, of, known = []) {
    this.of = of;
    this.lines = el("ol", { class: "lines", tabindex: "0", "aria-label": "Log lines" });
    this.older = button("Older lines", () => this.#read({ cursor: this.page.older }, "older"), { hidden: true });
    this.newer = button("Newer lines", () => this.#read({ cursor: this.page.newer }, "newer"), { hidden: true });
    this.state = el("p", { class: "quiet", role: "status" });
    // No form: a host's sandbox may not let one be submitted.
    this.search = el("input", {
      type: "search",
      placeholder: "find in this log, or /regex/",
      "aria-label": "Find in this log",
      onkeydown: (event) => {
        if (event.key === "Enter") this.#start();
      },
    });
    const find = el(
      "div",
      { class: "find", role: "search" },
      this.search,
      button("Find", () => this.#start()),
    );
    this.dialog.replaceChildren(
      el(
        "header",
        {},
        el("h2", { id: "log-title" }, "Log of ", foreign(title)),
        button("Close", () => this.dialog.close(), { class: "plain" }),
      ),
      known.length ? facts(known) : "",
      find,
      this.state,
      el("div", { class: "pages" }, this.older),
      this.lines,
      el("div", { class: "pages" }, this.newer),
    );
    if (!this.dialog.open) this.dialog.showModal();
    this.#start();
  }

  #start() {
    this.lines.replaceChildren();
    this.page = {};
    const query = this.search.value.trim();
    return this.#read({ ...this.of, ...(query ? { query } : {}) }, "newer");
  }

  async #read(args, side) {
    this.#leave?.abort(new Error("another stretch is read"));
    this.#leave = new AbortController();
    const { signal } = this.#leave;
    this.state.textContent = "Reading the log …";
    this.older.hidden = this.newer.hidden = true;
    try {
      const page = await this.call("read_log", args, signal);
      if (!signal.aborted) this.#show(page, side);
    } catch (error) {
      if (signal.aborted) return;
      this.state.replaceChildren(
        foreign(error.message, { class: "bad" }),
        " ",
        button("Try again", () => this.#read(args, side)),
      );
    }
  }

  #show(page, side) {
    const begun = Boolean(this.lines.children.length),
      height = this.lines.scrollHeight;
    const more = page.lines.map(logLine);
    if (side === "older") this.lines.prepend(...more);
    else this.lines.append(...more);
    // Each answer knows what lies beyond its own two ends; ours are the outer ones.
    this.page = {
      older: begun && side === "newer" ? this.page.older : page.older,
      newer: begun && side === "older" ? this.page.newer : page.newer,
    };
    this.older.hidden = !this.page.older;
    this.newer.hidden = !this.page.newer;
    this.state.replaceChildren(foreign(this.#said(page)));
    if (side === "older") this.lines.scrollTop += this.lines.scrollHeight - height;
    else if (!begun) this.lines.scrollTop = this.lines.scrollHeight;
  }

  #said(page) {
    const shown = this.lines.children.length;
    const searched = page.matched !== undefined;
    const what = searched
      ? `${plural(page.matched, "line")} found in what was read`
      : `${plural(shown, "row")} shown of ${plural(page.total_lines, "line")}`;
    // What was not kept, or cut, is no page that could be read: the notes say it.
    const end = page.complete ? "all of it" : "nothing more to read";
    const rest = this.page.older || this.page.newer ? "more to read" : end;
    return [
      shown || searched ? `${what}, ${rest}` : "No lines",
      page.growing ? "more may follow" : "",
      ...(page.notes ?? []),
    ]
      .filter(Boolean)
      .join(" · ");
  }
}

function logLine(line) {
  return el(
    "li",
    { value: line.n, class: line.mark ? `is-${line.mark}` : "" },
    el("span", { class: "number" }, String(line.n)),
    el("time", { title: line.at }, clock(instant(line.at))),
    el("span", { class: "mark" }, line.mark ?? ""),
    foreign(line.text, { class: "text" }),
    line.times ? el("span", { class: "times" }, `×${count(line.times)}`) : "",
  );
}
