/* Elements: made here alone. Whatever comes from a tool becomes a text node or an attribute, never markup. */

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function button(text, onclick, props = {}) {
  return el("button", { type: "button", onclick, ...props }, text);
}

/* Text of an upstream: set apart, so that its direction does not turn what stands beside it. */
function foreign(text, props = {}) {
  return el("bdi", props, text ?? "");
}

/* Text that is not broken into lines; nothing where there is none. */
function whole(text, kind = "") {
  return text ? el("span", { class: `whole ${kind}` }, text) : "";
}

function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return el(
    "dl",
    { class: "facts" },
    known.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
}

function notes(lines, title = "") {
  if (!lines?.length) return null;
  return el(
    "ul",
    { class: "notes", "aria-label": title || "Notes" },
    lines.map((line) => el("li", {}, foreign(line))),
  );
}

/* A failure in the tool's own words, and what can be done about it; as a whole view its title is the first heading. */
function trouble(title, text, action = "", heading = "h2") {
  return el(
    "div",
    { class: "trouble", role: "alert" },
    el(heading, {}, title),
    el("p", {}, foreign(text)),
    action ? el("p", { class: "actions" }, action) : "",
  );
}

function say(text) {
  document.getElementById("said").textContent = text;
}

/* An answer over several sources names those that show sample data. */
function sampleTag({ sample, sources }) {
  if (!sample) return null;
  const some = Array.isArray(sample) && sample.length < sources.length;
  return el("span", { class: "tag" }, "sample data", some ? `: ${sample.join(", ")}` : "");
}
