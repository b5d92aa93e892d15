/* Looks again at what still runs: soon at first, ever more seldom while nothing changes, and only while somebody can
   see it. A look that fails is told beside the time and tried again; it takes away nothing that is shown. */

const GROWTH = 1.5;
const SHARE = 4; // what is slow to answer is left alone this many times as long as it took

class Following {
  #timer = 0;
  #wait;
  #due;
  #looking = false;
  #inView = true;
  #asOf;
  #error = "";

  /* look(): asks, and answers whether anything changed; free(): whether it may be asked now; going(): whether there is
     anything left to wait for. What the host handed over may be old, so that is looked at at once. */
  constructor({ look, free, going, handed, signal }) {
    Object.assign(this, { look, free, going, signal });
    const [first, most] = document.querySelector("meta[name=jobtrail-pace]").content.split(" ");
    this.first = first * 1000;
    this.most = most * 1000;
    this.#wait = this.first;
    this.#asOf = handed ? NaN : Date.now();
    this.#due = handed ? 0 : Date.now() + this.first;
    this.paused = false;
    this.words = el("span");
    this.trouble = el("bdi", { class: "bad" });
    this.step = button("", () => (this.paused ? this.resume() : this.pause()));
    this.element = el("p", { class: "asof" }, this.words, this.step, this.trouble);
    document.addEventListener("visibilitychange", () => this.plan(), { signal });
    this.#draw();
  }

  /* Counts as seen while any of this element is; a frame that was scrolled away is not seen either. */
  watch(element) {
    const seen = new IntersectionObserver((entries) => {
      this.#inView = entries.at(-1).isIntersecting;
      this.plan();
    });
    seen.observe(element);
    this.signal.addEventListener("abort", () => {
      seen.disconnect();
      clearTimeout(this.#timer);
    });
  }

  pause() {
    this.paused = true;
    this.#draw();
    this.plan();
  }

  resume() {
    this.paused = false;
    this.#due = 0;
    this.#draw();
    this.plan();
  }

  /* To be called whenever something changes that a look waits for. */
  plan() {
    clearTimeout(this.#timer);
    const seen = document.visibilityState === "visible" && this.#inView;
    if (this.signal.aborted || this.#looking || this.paused || !seen || !this.going() || !this.free()) return;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, this.#due - Date.now()));
  }

  async #look() {
    const began = Date.now();
    this.#looking = true;
    let changed = false;
    try {
      changed = await this.look();
      this.#asOf = began;
      this.#error = "";
    } catch (error) {
      if (this.signal.aborted) return;
      if (!this.#error) say(`could not be read again: ${error.message}`);
      this.#error ||= `could not be read again at ${clock(began)}, and is tried again: ${error.message}`;
    } finally {
      this.#looking = false;
    }
    if (this.signal.aborted) return;
    this.#wait = changed ? this.first : Math.min(this.#wait * GROWTH, this.most);
    this.#due = Date.now() + Math.max(this.#wait, SHARE * (Date.now() - began));
    this.#draw();
    this.plan();
  }

  #draw() {
    const going = this.going();
    this.words.textContent = Number.isNaN(this.#asOf) ? "as the host handed it over" : `as of ${clock(this.#asOf)}`;
    this.trouble.textContent = this.#error;
    const text = this.paused ? "Follow again" : "Pause updates";
    if (this.step.textContent !== text) this.step.textContent = text;
    // What has ended stays as it is; whoever stood on the button goes on from the view.
    if (!going && document.activeElement === this.step) document.getElementById("view").focus({ preventScroll: true });
    this.step.hidden = !going;
  }
}
