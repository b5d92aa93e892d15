/* How a job has been doing: bars by status, durations beneath, and what ran in one of them. */

const SPANS = ["24h", "7d", "30d", "90d"];

async function showHistory(board, route, signal) {
  const answer =
    route.answer ?? (await board.call("history", pick(route, "job", "since", "until", "bucket", "source"), signal));
  return new HistoryView(board, answer, route.since ?? "", signal).element;
}

class HistoryView {
  constructor(board, answer, since, signal) {
    this.board = board;
    this.answer = answer;
    this.signal = signal;
    this.listed = el("section", {
      class: "attempts",
      "aria-label": "Attempts of the chosen bar",
      "aria-live": "polite",
    });
    this.element = el("article", { class: "history" }, this.#head(since), this.#chart(), this.listed);
  }

  #head(since) {
    const { answer } = this,
      { current, before, coverage } = answer,
      noun = answer.kind === "job" ? "execution" : "run";
    const spans = el(
      "div",
      { class: "chips", role: "group", "aria-label": "How far back" },
      SPANS.map((span) =>
        button(
          span,
          () => this.board.go({ view: "history", job: answer.job, source: answer.source, since: span }, true),
          { "aria-pressed": String(span === (since || "7d")), class: "chip" },
        ),
      ),
    );
    const rate =
      current.success_rate === undefined
        ? "nothing ended by itself in this window"
        : `${percent(current.success_rate)} succeeded`;
    const then =
      before?.success_rate === undefined
        ? ""
        : `${percent(before.success_rate)} of ${count(before.attempts)} in the window before${answer.trend ? `: ${answer.trend}` : ""}`;
    return el(
      "header",
      { class: "head" },
      el("h1", {}, foreign(answer.job), " ", el("span", { class: "id" }, "history")),
      el("p", { class: "verdict" }, el("strong", {}, rate), el("span", {}, then), sampleTag(answer)),
      facts([
        [`${noun}s`, count(current.attempts)],
        ["streak", streakWords(answer.streak)],
        ["last success", moment(answer.last_success_at)],
        ["p50", lasting(current.p50_s)],
        ["p95", lasting(current.p95_s)],
        ["longest", lasting(current.max_s)],
        ["since", moment(answer.window.since)],
        ["until", moment(answer.window.until ?? answer.window.now)],
        ["read", coverage.complete ? "whole window" : `PARTIAL, back to ${moment(coverage.back_to)}`],
        ["source", answer.source],
      ]),
      this.board.bridge.canCall ? spans : "",
      notes(answer.notes),
    );
  }

  #chart() {
    const { answer } = this,
      slots = slotsOf(answer);
    if (!slots.length) return el("p", { class: "empty" }, nothingIn(answer));
    const most = Math.max(...slots.map((slot) => slot.attempts)),
      longest = Math.max(...slots.map((slot) => slot.p50_s ?? 0));
    this.bars = slots.map((slot) => this.#bar(slot, most, longest));
    const bars = el("div", { class: "bars" }, this.bars);
    // Where they do not all fit, the newest are seen first.
    requestAnimationFrame(() => (bars.scrollLeft = bars.scrollWidth));
    const kinds = STATUSES.filter((kind) => Object.keys(answer.current.counts).some((word) => kindOf(word) === kind));
    return el(
      "section",
      { class: "chart", "aria-label": "Attempts over time" },
      el(
        "p",
        { class: "legend" },
        kinds.map((kind) => el("span", { class: `key is-${kind}` }, el("i", { class: "fill" }), kind)),
        el("span", { class: "key" }, el("i", { class: "length" }), "median duration"),
        el(
          "span",
          { class: "quiet" },
          `a bar each ${answer.bucket}, the highest ${count(most)}${longest ? `, the longest median ${lasting(longest)}` : ""}`,
        ),
      ),
      bars,
    );
  }

  #bar(slot, most, longest) {
    const rate = slot.read ? percent(slot.success_rate) || "·" : "?",
      when = tick(slot.from, slot.widest);
    const bar = button("", () => this.#choose(slot, bar), {
      class: slot.read ? "slot" : "slot unread",
      "aria-pressed": "false",
      title: slotWords(slot),
      // What is seen first, for those who speak to their machine; then all of it.
      "aria-label": `${rate} ${when}, ${slotWords(slot)}`,
      disabled: !slot.attempts || !this.board.bridge.canCall,
    });
    const length = el("i", { class: "length" });
    length.style.height = slot.p50_s === undefined ? "0" : `max(1px, ${(slot.p50_s / (longest || 1)) * 100}%)`;
    bar.append(
      stackOf(slot, most),
      el("span", { class: "lasted" }, length),
      el("span", { class: "rate" }, rate),
      " ",
      el("span", { class: "when" }, when),
    );
    return bar;
  }

  #choose(slot, bar) {
    for (const one of this.bars) one.setAttribute("aria-pressed", String(one === bar));
    this.listed.replaceChildren(
      el("h2", {}, `From ${moment(slot.from)}`),
      attemptList(this.board, this.answer, { since: iso(slot.from), until: iso(slot.to - 1) }, this.signal),
    );
  }
}

/* That nothing ran is said only of a window that was read whole. */
function nothingIn(answer) {
  const { complete, back_to: reached } = answer.coverage;
  return complete
    ? "Nothing ran in this window."
    : `Nothing among what was read, back to ${moment(reached)}; the rest was not read.`;
}

/* A bar's parts, by status, as tall as their share of the highest bar. */
function stackOf(slot, most) {
  const parts = [];
  for (const kind of STATUSES) {
    const words = Object.keys(slot.counts).filter((word) => kindOf(word) === kind);
    const number = words.reduce((sum, word) => sum + slot.counts[word], 0);
    if (!number) continue;
    const part = el("i", { class: `fill is-${kind}` });
    part.style.height = `${(number / most) * 100}%`;
    parts.push(part);
  }
  return el("span", { class: "stack" }, parts);
}

function slotWords(slot) {
  const counts = Object.entries(slot.counts).map(([word, number]) => `${count(number)} ${word}`);
  const ran = slot.read ? counts.join(", ") || "nothing ran" : "not read";
  return `from ${moment(slot.from)}: ${ran}${slot.p50_s === undefined ? "" : `, median ${lasting(slot.p50_s)}`}`;
}

function streakWords(streak) {
  if (!streak) return "";
  const length = streak.length > 1 ? ` ${count(streak.length)}` : "";
  return `${streak.at_least && length ? "at least " : ""}the last${length} ${streak.well ? "succeeded" : "failed"}`;
}

/* Every bar of the window, also those in which nothing ran (an answer leaves them out) and those that were not read. */
function slotsOf(answer) {
  if (!answer.buckets.length) return [];
  const width = { s: 1, m: 60, h: 3600, d: 86_400 }[answer.bucket.slice(-1)] * parseInt(answer.bucket, 10) * 1000;
  const since = instant(answer.window.since),
    until = instant(answer.window.until ?? answer.window.now);
  const first = instant(answer.buckets[0].start),
    reached = answer.coverage.complete ? -Infinity : instant(answer.coverage.back_to);
  const before = Math.max(0, Math.ceil((first - since) / width));
  const after = Math.max(0, Math.floor((until - first) / width));
  const found = new Map(answer.buckets.map((one) => [Math.round((instant(one.start) - first) / width), one]));
  return Array.from({ length: before + after + 1 }, (_, at) => {
    const one = found.get(at - before),
      from = one ? instant(one.start) : first + (at - before) * width;
    const next = found.get(at - before + 1);
    return {
      counts: one?.counts ?? {},
      success_rate: one?.success_rate,
      p50_s: one?.p50_s,
      widest: until - since,
      attempts: Object.values(one?.counts ?? {}).reduce((sum, value) => sum + value, 0),
      read: Boolean(one) || from + width > reached,
      from: Math.max(from, since),
      to: Math.min(next ? instant(next.start) : from + width, until + 1),
    };
  });
}
