/* How many tasks there are of each status; a press keeps only those. */

class StatusChips {
  chosen = new Set();

  constructor(choose) {
    this.choose = choose;
    this.element = el("div", { class: "chips", role: "group", "aria-label": "Show only these statuses" });
  }

  show(tasks) {
    const counts = new Map();
    for (const task of tasks) counts.set(kindOf(task.status), (counts.get(kindOf(task.status)) ?? 0) + 1);
    for (const kind of STATUSES) {
      const chip = this.element.querySelector(`.is-${kind}`) ?? (counts.has(kind) ? this.#chip(kind) : null);
      if (chip) chip.lastChild.textContent = count(counts.get(kind) ?? 0);
    }
  }

  /* In the order of the statuses, also where one turns up later. */
  #chip(kind) {
    const chip = button("", () => this.#press(kind, chip), { class: `chip is-${kind}`, "aria-pressed": "false" });
    chip.append(
      el("span", { class: "glyph", "aria-hidden": "true" }, GLYPHS[kind]),
      el("span", {}, kind),
      el("b", {}),
    );
    const later = STATUSES.slice(STATUSES.indexOf(kind) + 1).map((one) => this.element.querySelector(`.is-${one}`));
    this.element.insertBefore(chip, later.find(Boolean) ?? null);
    return chip;
  }

  #press(kind, chip) {
    if (!this.chosen.delete(kind)) this.chosen.add(kind);
    chip.setAttribute("aria-pressed", String(this.chosen.has(kind)));
    this.choose();
  }
}
