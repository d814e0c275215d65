"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const PAGE = 12;
const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function options(select, texts, chosen) {
  texts.forEach((text, place) => select.append(new Option(text, place, place === chosen, place === chosen)));
}

const score = (metric, run, place) => data.scores[metric][run][place];
const text = (value) => (value === null ? "-" : String(Number(value.toPrecision(4))));

// Scatter

function extent(values) {
  const [low, high] = values.reduce(([least, most], v) => [Math.min(least, v), Math.max(most, v)], [Infinity, -Infinity]);
  return high > low ? [low, high] : [low - 0.5, high + 0.5];
}

function drawn(tag, attributes, content) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (content !== undefined) made.textContent = content;
  return made;
}

function scatter() {
  const box = byId("scatter");
  const [xr, xm, yr, ym] = ["x-run", "x-metric", "y-run", "y-metric"].map((id) => Number(byId(id).value));
  const points = data.stimuli.map((_, place) => [score(xm, xr, place), score(ym, yr, place), place]);
  const known = points.filter(([x, y]) => x !== null && y !== null).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  box.replaceChildren(drawn("rect", { x: 0, y: 0, width: 320, height: 300, class: "frame" }));
  if (!known.length) return;
  let [xs, ys] = [extent(known.map((p) => p[0])), extent(known.map((p) => p[1]))];
  if (xm === ym) {
    xs = ys = extent([...xs, ...ys]);
    box.append(drawn("line", { x1: 0, y1: 300, x2: 320, y2: 0, class: "chance" }));
  }
  const across = (v) => ((v - xs[0]) / (xs[1] - xs[0])) * 320;
  const up = (v) => 300 - ((v - ys[0]) / (ys[1] - ys[0])) * 300;
  const dots = document.createDocumentFragment();
  for (const [x, y, place] of known) {
    const at = { cx: across(x).toFixed(1), cy: up(y).toFixed(1), r: 3.2, class: "dot", "data-place": place };
    dots.append(drawn("circle", { ...at, role: "button", tabindex: -1, "aria-label": described(place) }));
  }
  dots.firstElementChild.setAttribute("tabindex", 0);
  box.append(dots);
  for (const [value, anchor, x] of [[xs[0], "start", 0], [xs[1], "end", 320]])
    box.append(drawn("text", { x, y: 314, "text-anchor": anchor, class: "axis" }, text(value)));
  for (const [value, y] of [[ys[0], 300], [ys[1], 9]])
    box.append(drawn("text", { x: -4, y, "text-anchor": "end", class: "axis" }, text(value)));
  const name = (run, metric) => `${data.names[run]}, ${data.metrics[metric].heading}`;
  box.append(drawn("text", { x: 160, y: 332, "text-anchor": "middle" }, name(xr, xm)));
  box.append(drawn("text", { x: -150, y: -32, "text-anchor": "middle", transform: "rotate(-90)" }, name(yr, ym)));
}

function described(place) {
  const [xr, xm, yr, ym] = ["x-run", "x-metric", "y-run", "y-metric"].map((id) => Number(byId(id).value));
  return `${data.stimuli[place]}: ${text(score(xm, xr, place))} across, ${text(score(ym, yr, place))} up`;
}

// One dot at a time is a stop of the tab key; the arrow keys move on in the order of the horizontal axis.
function walk(event) {
  const dots = [...byId("scatter").querySelectorAll("circle.dot")];
  const at = dots.indexOf(event.target);
  const steps = { ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1, Home: 0, End: dots.length - 1 };
  if (at < 0) return;
  if (event.key === "Enter" || event.key === " ") open(Number(event.target.dataset.place), "image");
  else if (!(event.key in steps)) return;
  else dots[Math.min(Math.max(steps[event.key], 0), dots.length - 1)].focus();
  event.preventDefault();
}

function pointAt({ target }) {
  if (target.dataset.place !== undefined) byId("pointed").textContent = described(Number(target.dataset.place));
}

byId("scatter").addEventListener("mouseover", pointAt);
// Listened for outside of the drawing: Chromium makes an SVG that listens for focus a stop of the tab key.
document.addEventListener("focusin", (event) => {
  if (!event.target.matches("#scatter circle.dot")) return;
  for (const dot of byId("scatter").querySelectorAll("circle[tabindex='0']")) dot.setAttribute("tabindex", -1);
  event.target.setAttribute("tabindex", 0);
  pointAt(event);
});
byId("scatter").addEventListener("keydown", walk);
byId("scatter").addEventListener("click", ({ target }) => {
  if (target.dataset.place !== undefined) open(Number(target.dataset.place), "image");
});

// Stimuli

let order = [];
let visible = 0;

function arrange() {
  const wanted = byId("find").value.trim().toLowerCase();
  const [run, metric] = [Number(byId("order-run").value), Number(byId("order-metric").value)];
  const [direction, only] = [byId("direction").value, byId("only").value];
  order = [...data.stimuli.keys()].filter(
    (place) =>
      data.stimuli[place].toLowerCase().includes(wanted) &&
      (only !== "pictures" || data.pictures[place]) &&
      (only !== "errors" || data.errors.some((errors) => errors && errors[place]))
  );
  if (direction !== "name") {
    const sign = (direction === "best") === data.metrics[metric].higher ? -1 : 1;
    const worth = (place) => score(metric, run, place);
    order.sort((a, b) => {
      const [x, y] = [worth(a), worth(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (x - y) || a - b;
    });
  }
  visible = 0;
  byId("cards").replaceChildren();
  more();
}

function more() {
  const next = order.slice(visible, visible + PAGE).map(card);
  const focused = document.activeElement === byId("more");
  byId("cards").append(...next);
  visible += next.length;
  byId("shown").textContent = `${visible} of ${order.length} stimuli shown`;
  byId("more").hidden = visible >= order.length;
  if (focused && byId("more").hidden && next.length) next[0].focus(); // a button that hides would lose the focus
}

function parts(place) {
  const found = data.pictures[place];
  if (!found) return [];
  const part = (key, caption, over, kind, run) =>
    ({ key, caption, source: found[key], large: found[`${key}-large`] || found[key], over: found[over], kind, run, size: found.size });
  return [
    part("image", "image", "fixations", "fixations"),
    part("truth", "ground truth"),
    ...data.names.map((name, run) => part(`map-${run}`, name, `levels-${run}`, "levels", run)),
  ].filter(({ source }) => source);
}

// What lies in `box`: a picture, and over it its fixations or level sets.
function filled(box, part, source, lazy) {
  const [width, height] = part.size;
  box.style.setProperty("--shape", width / height);
  const loading = lazy ? { loading: "lazy", decoding: "async" } : {};
  box.append(element("img", { src: source, alt: "", width, height, ...loading }));
  if (part.over) box.append(element("img", { src: part.over, alt: "", width, height, class: `over ${part.kind}`, ...loading }));
  return box;
}

function picture(part, place) {
  const button = element("button", { type: "button", class: "picture", "aria-label": `${data.stimuli[place]}, ${part.caption}: enlarge` });
  button.addEventListener("click", () => open(place, part.key));
  return filled(button, part, part.source, true);
}

function figures(run, place) {
  return data.metrics.map((metric, number) => `${metric.heading.split(" ")[0]} ${text(score(number, run, place))}`).join(" · ");
}

function card(place) {
  const made = element("article", { class: "card panel", tabindex: -1 }, element("h3", {}, data.stimuli[place]));
  const strip = element("div", { class: "strip" });
  for (const part of parts(place)) {
    const caption = part.run === undefined ? part.caption : `${part.caption}: ${figures(part.run, place)}`;
    strip.append(element("figure", {}, picture(part, place), element("figcaption", {}, caption)));
  }
  if (strip.childElementCount) made.append(strip);
  data.names.forEach((name, run) => {
    const error = data.errors[run] && data.errors[run][place];
    if (error) made.append(element("p", { class: "warning" }, `${name}: ${error}`));
    else if (!data.pictures[place] || !data.pictures[place][`map-${run}`])
      made.append(element("p", {}, element("strong", {}, name), `: ${figures(run, place)}`));
  });
  return made;
}

// Zoom

let opened = null;

function open(place, key) {
  const list = parts(place);
  const at = Math.max(0, list.findIndex((part) => part.key === key));
  const title = byId("zoom-title"), box = byId("zoomed");
  opened = { place, list, at };
  if (!list.length) {
    title.textContent = data.stimuli[place];
    box.replaceChildren(...data.names.map((name, run) => element("p", {}, `${name}: ${figures(run, place)}`)));
  } else {
    const part = list[at];
    title.textContent = `${data.stimuli[place]}: ${part.caption}`;
    const label = `${data.stimuli[place]}, ${part.caption}`;
    box.replaceChildren(filled(element("div", { class: "picture", role: "img", "aria-label": label }), part, part.large, false));
    if (part.run !== undefined) box.append(element("p", {}, figures(part.run, place)));
  }
  if (!byId("zoom").open) byId("zoom").showModal();
}

function step(by) {
  if (opened && opened.list.length) open(opened.place, opened.list[(opened.at + by + opened.list.length) % opened.list.length].key);
}

byId("close").addEventListener("click", () => byId("zoom").close());
byId("before").addEventListener("click", () => step(-1));
byId("after").addEventListener("click", () => step(1));
byId("zoom").addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  step(by);
});

for (const kind of ["fixations", "levels"]) {
  byId(kind).addEventListener("click", () => {
    const on = document.body.classList.toggle(kind);
    byId(kind).setAttribute("aria-pressed", on);
  });
}
document.body.classList.add("fixations");

const headings = data.metrics.map((metric) => metric.heading);
const last = data.names.length - 1;
options(byId("x-run"), data.names, 0);
options(byId("y-run"), data.names, last);
options(byId("x-metric"), headings, data.primary);
options(byId("y-metric"), headings, last ? data.primary : (data.primary + 1) % headings.length);
options(byId("order-run"), data.names, last);
options(byId("order-metric"), headings, data.primary);
for (const id of ["x-run", "x-metric", "y-run", "y-metric"]) byId(id).addEventListener("change", scatter);
for (const id of ["find", "order-run", "order-metric", "direction", "only"]) byId(id).addEventListener("input", arrange);
byId("more").addEventListener("click", more);
scatter();
arrange();
