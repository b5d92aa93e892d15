/* The board: which view is shown, where it came from, and what the host or the page says. */

const VIEWS = { start: showStart, execution: showExecution, history: showHistory, run: showRun, compare: showCompare };

function pick(from, ...names) {
  return Object.fromEntries(names.filter((name) => from[name]).map((name) => [name, from[name]]));
}

class Board {
  #leave = new AbortController();
  #trail = [];
  #moved = false;
  redraw = null;

  constructor() {
    this.page = document.querySelector("meta[name=jobtrail-page]").content;
    this.view = document.getElementById("view");
    this.bridge = this.page
      ? new PageBridge()
      : new HostBridge({
          "ui/notifications/tool-input": ({ arguments: args }) => this.#asked(args ?? {}),
          "ui/notifications/tool-input-partial": () => undefined,
          "ui/notifications/tool-result": (result) => this.#given(result),
          "ui/notifications/tool-cancelled": ({ reason }) =>
            this.#wait(`The call was cancelled${reason ? `: ${reason}` : ""}.`),
          "ui/notifications/host-context-changed": (changed) =>
            this.#dress(Object.assign(this.bridge.context, changed)),
          "ui/resource-teardown": () => this.#leave.abort(new Error("the host closes the board")),
        });
    this.log = new LogDialog((name, args, signal) => this.call(name, args, signal));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw?.());
  }

  call(name, args, signal) {
    return this.bridge.call(name, args, signal);
  }

  async open() {
    if (this.page) {
      window.addEventListener("popstate", () => this.#show(this.#addressed()));
      return this.#show(this.#addressed());
    }
    if (window.parent === window)
      return this.#wait("This board is shown by an MCP Apps host; `jobtrail board` serves it as a page.");
    try {
      await this.bridge.open();
    } catch (error) {
      return this.view.replaceChildren(trouble("No MCP Apps host answers", error.message, "", "h1"));
    }
    this.#dress(this.bridge.context);
    new ResizeObserver(() => this.#sized()).observe(document.documentElement);
    return undefined;
  }

  /* Shows a view; `instead` takes the place of the one that is shown, else one can go back to it. */
  go(route, instead = false) {
    const { answer, ...named } = route;
    this.#moved = true;
    if (!instead) window.scrollTo(0, 0);
    if (!this.page) {
      if (instead) this.#trail.pop();
      return this.#show(route);
    }
    const address = `#${new URLSearchParams(named)}`;
    if (instead) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    return this.#show(route);
  }

  #addressed() {
    const named = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    return {
      view: named.execution || named.job ? (named.execution ? "execution" : "history") : named.run ? "run" : "start",
      ...named,
    };
  }

  async #show(route) {
    this.#leave.abort(new Error("left for another view"));
    const { signal } = (this.#leave = new AbortController());
    this.redraw = null;
    this.log.dialog.close();
    if (!this.page) this.#trail.push(route);
    this.#wait(`Asking for ${route.execution ?? route.run ?? route.job ?? "jobs and failures"} …`);
    this.#crumbs();
    let shown;
    try {
      shown = await (Object.hasOwn(VIEWS, route.view) ? VIEWS[route.view] : showStart)(this, route, signal);
    } catch (error) {
      if (signal.aborted) return;
      shown = trouble(
        "This could not be shown",
        error.message,
        button("Try again", () => this.go({ ...route, answer: undefined }, true)),
        "h1",
      );
    }
    if (signal.aborted) return;
    this.view.replaceChildren(shown);
    // What was pressed is gone with its view: the keyboard goes on from the new one.
    if (document.activeElement === document.body && this.#moved) this.view.focus({ preventScroll: true });
    document.title = `${shown.querySelector("h1, h2")?.textContent ?? "Jobtrail"} · Jobtrail board`;
    say(shown.querySelector("h1, h2")?.textContent ?? "");
  }

  #crumbs() {
    const crumbs = document.getElementById("trail");
    const back = this.page
      ? ""
      : this.#trail.length > 1
        ? button("← Back", () => {
            this.#trail.pop();
            return this.#show(this.#trail.pop());
          })
        : "";
    const modes = this.bridge.context.availableDisplayModes ?? [];
    const wide =
      modes.includes("fullscreen") && this.bridge.context.displayMode !== "fullscreen"
        ? button("Full screen", () => this.bridge.fullScreen().catch((error) => say(error.message)))
        : "";
    crumbs.replaceChildren(
      ...[
        el("strong", { class: "brand", title: this.page }, "Jobtrail"),
        back,
        this.bridge.canCall ? button("All jobs", () => this.go({ view: "start" })) : "",
        el("span", { class: "space" }),
        wide,
        el("span", { class: "quiet" }, "times are UTC"),
      ].filter(Boolean),
    );
  }

  #wait(text) {
    this.view.replaceChildren(el("p", { class: "quiet waiting" }, foreign(text)));
  }

  #asked(args) {
    if (this.#trail.length) return;
    this.asked = args;
    this.#wait(`Asking for ${args.execution ?? args.job ?? "it"} …`);
  }

  /* The result that the host called the board for: of get_execution or of history. */
  #given(result) {
    this.#trail = [];
    try {
      const answer = answerOf(result);
      const view =
        answer.execution && answer.verdict ? "execution" : answer.buckets ? "history" : answer.sort ? "start" : "";
      if (!view) throw new ToolError("this answer is not one that the board can draw; its text says all there is");
      this.#show({
        view,
        ...pick(this.asked ?? {}, "since", "until", "bucket"),
        job: answer.job ?? answer.execution?.job,
        execution: answer.execution?.id,
        source: answer.source,
        answer,
      });
    } catch (error) {
      this.#crumbs();
      this.view.replaceChildren(
        trouble(
          "The tool refused",
          error.message,
          this.bridge.canCall ? button("Show all jobs", () => this.go({ view: "start" })) : "",
          "h1",
        ),
      );
    }
  }

  #dress(context) {
    const root = document.documentElement;
    if (context.theme === "light" || context.theme === "dark") root.style.colorScheme = context.theme;
    for (const [name, value] of Object.entries(context.styles?.variables ?? {}))
      if (name.startsWith("--") && value) root.style.setProperty(name, value);
    for (const [side, inset] of Object.entries(context.safeAreaInsets ?? {}))
      root.style.setProperty(`--safe-${side}`, `${inset}px`);
    this.#crumbs();
    this.redraw?.();
  }

  #sized() {
    const { width, height } = document.documentElement.getBoundingClientRect();
    this.bridge.notify("ui/notifications/size-changed", { width: Math.ceil(width), height: Math.ceil(height) });
  }
}

new Board().open();
