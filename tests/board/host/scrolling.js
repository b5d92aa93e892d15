// Scrolls a list from end to end with the pointer over it, a step a frame, and measures the frames.
async (list) => {
  const long = [];
  const watch = new PerformanceObserver((seen) => long.push(...seen.getEntries().map((one) => one.duration)));
  watch.observe({ type: "longtask" });
  const frames = [],
    box = list.getBoundingClientRect(),
    steps = 120;
  for (let step = 0; step < steps; step++) {
    const before = performance.now();
    list.scrollTop = (step / (steps - 1)) * list.scrollHeight;
    const pointer = { clientX: box.x + 9, clientY: box.y + (step % 18) * 22, bubbles: true };
    list.dispatchEvent(new PointerEvent("pointermove", pointer));
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - before);
  }
  watch.disconnect();
  frames.sort((a, b) => a - b);
  const rows = [...list.querySelectorAll("[role=option]")],
    shown = rows.filter((row) => !row.hidden);
  return {
    p50: frames[steps / 2],
    p95: frames[Math.floor(steps * 0.95)],
    most: frames.at(-1),
    long: long.length,
    rows: rows.length,
    last: shown
      .map((row) => Number(row.getAttribute("aria-posinset")))
      .sort((a, b) => a - b)
      .at(-1),
  };
}
