/* One walk through the pages of a list: drawn as they come, paused and resumed, and honest about where it stands. */

const PAGE = 100;
const PAUSE_AFTER = 20_000;

class Walk {
  items = [];
  notes = new Set();
  coverage = null;
  total = null;
  error = "";
  page = null; // the last one that came
  state = "paused"; // paused · loading · failed · ended
  #cursor = "";
  #under = false; // a page is under way, whatever the state became meanwhile

  /* ask(arguments, signal) answers a page; changed(newItems, its cursor) is told after each and at each change of state. */
  constructor(ask, first, changed, signal, pauseAfter = PAUSE_AFTER) {
    this.ask = ask;
    this.first = first;
    this.changed = changed;
    this.signal = signal;
    this.pauseAfter = this.pauseAt = pauseAfter;
  }

  async run() {
    if (this.state === "loading" || this.state === "ended") return;
    this.#turn("loading");
    if (this.#under) return;
    this.#under = true;
    try {
      await this.#pages();
    } finally {
      this.#under = false;
    }
  }

  async #pages() {
    while (this.state === "loading") {
      let page;
      try {
        page = await this.read(this.#cursor);
      } catch (error) {
        if (this.signal.aborted) return;
        this.error = error.message;
        this.#turn("failed");
        return;
      }
      if (this.signal.aborted) return;
      this.#take(page);
    }
  }

  /* Answers the page at a cursor, the first one without. */
  read(cursor) {
    return this.ask(cursor ? { cursor } : { ...this.first, limit: PAGE }, this.signal);
  }

  pause() {
    if (this.state === "loading") this.#turn("paused");
  }

  /* Nothing is left to read, and the answer says so itself. */
  get complete() {
    return this.state === "ended" && this.coverage.complete;
  }

  /* Complete, and no source was left out. */
  get whole() {
    return this.complete && !this.page.errors;
  }

  #take(page) {
    this.page = page;
    this.items.push(...page.items);
    for (const [source, text] of Object.entries(page.errors ?? {})) this.notes.add(`${source} could not be read: ${text}`);
    for (const note of page.notes ?? []) this.notes.add(note);
    this.coverage = page.coverage;
    this.total = page.total;
    const at = this.#cursor;
    const stuck = page.cursor && page.cursor === this.#cursor;
    this.#cursor = page.cursor ?? "";
    if (stuck) {
      this.error = "the source hands out the same page again and again";
      this.state = "failed";
    } else if (!page.cursor) this.state = "ended";
    else if (this.items.length >= this.pauseAt) {
      // More than most people look at: they say whether to go on.
      this.pauseAt += this.pauseAfter;
      this.state = "paused";
    }
    this.changed(page.items, at);
  }

  #turn(state) {
    this.state = state;
    if (state === "loading") this.error = "";
    this.changed([]);
  }
}
