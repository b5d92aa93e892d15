/* The tasks that were read, each once, and where each was read. Of ten thousand only those pages are read again on which
   something can have changed, and of these no more than it takes to come to what the execution counts. */

class TaskList {
  all = [];
  #known = new Map(); // by name
  #pages = []; // {cursor, names}, in the order of the list: the newest first; a name is on one page only

  /* read(cursor) answers the page at a cursor, or the first one. */
  constructor(read) {
    this.read = read;
  }

  take(items, cursor) {
    const fresh = items.filter((item) => !this.#known.has(item.name));
    this.#merge(items);
    if (fresh.length) this.#pages.push({ cursor, names: namesOf(fresh) });
  }

  /* Reads again, for an execution as it is now. */
  async readAgain(one, whole) {
    const ended = ENDED.has(one.status);
    const ran = this.#with((task) => task.status !== "queued" && this.#mayChange(task, one));
    const wait = this.#with((task) => task.status === "queued").reverse(); // what was created first runs first
    const newest = this.#pages.length && !(one.tasks <= this.all.length) ? [this.#pages[0]] : [];
    const first = new Set([...newest, ...ran]);
    for (const page of first) await this.#again(page);
    for (const page of wait)
      if (!first.has(page) && (ended || !this.#reaches(one))) await this.#again(page);
    // Something changed that was thought to have ended, a retry for example: then everything is looked at once more.
    if (ended && whole && this.#differs(one)) for (const page of [...this.#pages]) await this.#again(page);
  }

  #with(test) {
    return this.#pages.filter(({ names }) => names.some((name) => test(this.#known.get(name))));
  }

  #mayChange(task, { failed }) {
    return !ENDED.has(task.status) || (BAD.has(task.status) && this.#count(...BAD) > failed);
  }

  #count(...statuses) {
    return this.all.reduce((sum, task) => sum + statuses.includes(task.status), 0);
  }

  /* Whether as much is known to have begun and to have ended as the execution counts. */
  #reaches({ tasks, succeeded, failed, running, cancelled = 0 }) {
    if (!(tasks <= this.all.length)) return false;
    const begun = succeeded + failed + running + cancelled;
    return (
      this.#count("succeeded") >= succeeded &&
      this.#count(...BAD) >= failed &&
      this.all.length - this.#count("queued") >= begun
    );
  }

  #differs({ succeeded, failed }) {
    return this.#count("succeeded") !== succeeded || this.#count(...BAD) !== failed;
  }

  /* Reads one page again. New tasks push old ones from their page, which are then on the next. */
  async #again(page) {
    for (let at = page; this.#pages.includes(at); ) {
      const answer = await this.read(at.cursor);
      const there = new Set(answer.items.map((item) => item.name));
      const rest = at.names.filter((name) => !there.has(name));
      const met = rest.length < at.names.length;
      const fresh = answer.items.some((item) => !this.#known.has(item.name));
      for (const one of this.#pages) one.names = one.names.filter((name) => !there.has(name));
      this.#merge(answer.items);
      at.names = namesOf(answer.items);
      const next = rest.length && answer.cursor && (met || fresh) ? { cursor: answer.cursor, names: rest } : null;
      if (next) this.#pages.splice(this.#pages.indexOf(at) + 1, 0, next);
      this.#pages = this.#pages.filter((one) => one.names.length);
      const open = next?.names.some((name) => !ENDED.has(this.#known.get(name).status));
      at = next && (open || !met) ? next : null;
    }
  }

  /* A task keeps its object, by which rows know what is chosen and where they stand. */
  #merge(items) {
    for (const item of items) {
      const had = this.#known.get(item.name);
      const task = taskOf(item);
      if (!had) {
        this.#known.set(item.name, task);
        this.all.push(task);
        continue;
      }
      for (const name of Object.keys(had)) if (!(name in task)) delete had[name];
      Object.assign(had, task);
    }
  }
}

function namesOf(items) {
  return [...new Set(items.map((item) => item.name))];
}
