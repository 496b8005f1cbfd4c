// What the scripts of all pages share: colours of the page, the box beside the pointer, charts drawn by Vega. The page's
// policy forbids eval and every request, so expressions go through Vega's interpreter. Text reaches the page as text
// nodes only.
const drawing = (function () {
  "use strict";
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const element = (tag, parent, text) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.appendChild(made);
    return made;
  };

  // ---- hover ----
  const tip = document.getElementById("tip");
  function rows(parent, pairs) {
    const made = element("div", parent);
    made.className = "rows";
    pairs.forEach(([name, text]) => { element("span", made, name); element("span", made, text); });
  }
  // Shows what `fill` puts into the box for a datum that has the field `key`.
  function handler(key, fill) {
    return (_, event, item, value) => {
      if (value === null || value === undefined || !item || !item.datum || item.datum[key] === undefined) {
        tip.style.display = "none";
        return;
      }
      fill(item.datum);
      tip.style.display = "block";
      const box = tip.getBoundingClientRect();
      const x = event.clientX + 16 + box.width > innerWidth ? event.clientX - 16 - box.width : event.clientX + 16;
      const y = Math.min(event.clientY + 12, innerHeight - box.height - 8);
      tip.style.left = Math.max(8, x) + "px";
      tip.style.top = Math.max(8, y) + "px";
    };
  }

  // ---- drawing ----
  const config = () => ({
    background: "transparent",
    style: { "guide-label": { font: getComputedStyle(document.body).fontFamily, fontSize: 12, fill: colour("soft") },
             "guide-title": { font: getComputedStyle(document.body).fontFamily, fontSize: 12.5, fontWeight: 600, fill: colour("soft") } },
    axis: { domainColor: colour("line"), tickColor: colour("line"), gridColor: colour("hair"), titlePadding: 10, labelPadding: 5, tickSize: 4 },
  });
  const views = {};
  function draw(id, spec, tooltip) {
    const container = document.getElementById(id);
    if (!container) return;
    const width = Math.floor(container.clientWidth);
    if (width < 40) return;
    if (views[id]) views[id].finalize();
    Object.assign(spec, { $schema: "vega", width: width, autosize: { type: "fit", contains: "padding" }, padding: 4, config: config() });
    delete spec.$schema;
    const view = new vega.View(vega.parse(spec, null, { ast: true }),
      { expr: vega.expressionInterpreter, renderer: "canvas", container: container, hover: true, logLevel: vega.Error });
    if (tooltip) view.tooltip(tooltip);
    views[id] = view;
    view.runAsync();
  }
  // A margin of 4 % on both sides, or a little room around a single value.
  function padded(values) {
    if (!values.length) return [0, 1];
    const e = values.reduce((a, v) => [Math.min(a[0], v), Math.max(a[1], v)], [Infinity, -Infinity]);
    const room = e[1] > e[0] ? (e[1] - e[0]) * 0.04 : Math.max(Math.abs(e[0]) * 0.05, 1e-9);
    return [e[0] - room, e[1] + room];
  }
  const axis = (orient, scale, title, ticks) => ({ orient, scale, title, grid: true, tickCount: ticks || 7, labelOverlap: true });
  const number = (name, range, domain) => ({ name, type: "linear", range, domain, zero: false, nice: false, clamp: false });
  const palette = ["#3f74d8", "#d9822b", "#2f9e6e", "#a65bc0", "#c9a227", "#c8504f", "#3aa6b9", "#8a7a68"];  // of categories
  const symbol = (source, encode) => ({ type: "symbol", clip: true, from: { data: source }, encode: { update: encode } });

  // Draws now, and again when the width or the colours change.
  function keepDrawn(drawAll) {
    drawAll();
    let pending;
    addEventListener("resize", () => { clearTimeout(pending); pending = setTimeout(drawAll, 120); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
    addEventListener("scroll", () => { tip.style.display = "none"; }, { passive: true });
  }
  return { colour, element, tip, rows, handler, draw, padded, axis, number, palette, symbol, keepDrawn };
})();
