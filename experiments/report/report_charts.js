// Draws the charts of a study's report from the JSON in #report-data.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const { colour, element, tip, handler, draw, padded, axis, number, palette, symbol } = drawing;
  const shown = (objective, value) => {
    const number = (value / objective.factor).toFixed(objective.decimals);
    return objective.unit ? number + " " + objective.unit : number;
  };

  // Rows {trial, status, fidelity, front, v0, v1 ..., genes} in printed units.
  const points = data.points.map((p) => {
    const row = { trial: p[0], status: p[1], fidelity: p[2], front: p[3], genes: p[4] };
    row.group = row.front ? "front" : row.status === "ok" ? "ok" : "broken";
    data.objectives.forEach((o, i) => { row["v" + i] = p[5][i] / o.factor; row["raw" + i] = p[5][i]; });
    return row;
  });

  // ---- hover ----
  function genomeRows(genes) {
    const rows = new Map();
    genes.split(".").forEach((gene, i) => {
      if (gene === "") return;
      const named = data.dimension_names.length > i;
      const name = named ? data.dimension_names[i] : "genes";
      const choice = named ? data.dimension_choices[i][+gene] : gene;
      rows.set(name, rows.has(name) ? rows.get(name) + " " + choice : choice);
    });
    return rows;
  }
  function fillTip(d) {
    tip.replaceChildren();
    element("b", tip, "Trial " + d.trial);
    tip.append(" · " + (d.front ? "on the front" : d.status) + " · " + d.fidelity);
    const values = element("div", tip);
    values.className = "rows";
    data.objectives.forEach((o, i) => {
      element("span", values, o.label);
      const interval = (data.intervals[d.trial] || {})[i];
      const printed = (v) => (v / o.factor).toFixed(o.decimals);
      const latest = !interval ? "" : (interval[2] === null ? "" : ", again " + printed(interval[2])) +
        " (" + printed(interval[0]) + " to " + printed(interval[1]) + ")";
      element("span", values, shown(o, d["raw" + i]) + latest);
    });
    element("div", tip).className = "rule";
    drawing.rows(tip, [...genomeRows(d.genes)]);
    element("div", tip).className = "rule";
    element("code", tip, data.explain + " " + d.trial);
  }
  function fillPairTip(d) {
    tip.replaceChildren();
    element("b", tip, "Trial " + d.trial);
    drawing.rows(tip, [["predicted", d.predicted], ["measured", d.measured], ["error", d.error]]);
  }
  // A study of one decision is coloured by it from the start.
  const state = { x: null, y: null, all: true, zoom: false,
                  colouring: data.dimension_names.length === 1 && data.colourings.length ? 0 : -1 };
  const optimised = data.optimised;
  if (optimised.length > 1) { state.y = optimised[0]; state.x = optimised[1]; }

  // The scale of the chosen colouring; gives every point its category. Null: points are coloured by what became of them.
  function categoryScale() {
    if (state.colouring < 0) return null;
    const chosen = data.colourings[state.colouring];
    points.forEach((p) => {
      const gene = p.genes.split(".")[chosen.dimension];
      p.category = gene === undefined || gene === "" ? "not used" : chosen.categories[chosen.category_of[+gene]];
    });
    const unused = points.some((p) => p.category === "not used");
    return { name: "category", type: "ordinal", domain: unused ? [...chosen.categories, "not used"] : chosen.categories,
             range: [...palette.slice(0, chosen.categories.length), colour("dot")] };
  }

  function frontRows() {
    const rows = points.filter((p) => p.front);
    return state.x === null ? rows : rows.sort((a, b) => a["v" + state.x] - b["v" + state.x]);
  }

  function frontSpec() {
    const single = state.x === null;
    const yi = single ? optimised[0] : state.y;
    const yo = data.objectives[yi];
    const xo = single ? null : data.objectives[state.x];
    const xf = single ? "trial" : "v" + state.x;
    const yf = "v" + yi;
    const category = categoryScale();
    const byCategory = { scale: "category", field: "category" };
    const front = frontRows();
    const visible = state.all ? points : front;
    const inView = state.zoom && front.length ? front : visible;
    const third = optimised.length > 2 ? optimised.find((i) => i !== state.x && i !== state.y) : undefined;
    const intervals = front.filter((p) => (data.intervals[p.trial] || {})[single ? yi : state.x]).map((p) => {
      const i = single ? yi : state.x;
      const value = p["v" + i], factor = data.objectives[i].factor, interval = data.intervals[p.trial][i];
      // A second timing may lie beside the search's: the line then joins the two.
      return Object.assign({ low: Math.min(value, interval[0] / factor), high: Math.max(value, interval[1] / factor) }, p);
    });
    const step = single ? data.hypervolume.map((s) => ({ x: s[0] - 1, y: s[1] / yo.factor })) :
      optimised.length === 2 ? front.map((p) => ({ x: p[xf], y: p[yf] })) : [];
    const across = { x: { scale: "x", field: xf }, y: { scale: "y", field: yf } };
    const spec = {
      height: 420,
      data: [
        { name: "others", values: visible.filter((p) => !p.front) },
        { name: "front", values: front }, { name: "intervals", values: intervals }, { name: "step", values: step },
      ],
      scales: [number("x", "width", padded(inView.map((p) => p[xf]))), number("y", "height", padded(inView.map((p) => p[yf])))],
      axes: [axis("bottom", "x", single ? "trial" : xo.heading, 8), axis("left", "y", yo.heading)],
      marks: [
        symbol("others", Object.assign({ size: { value: 22 }, opacity: { value: category ? 0.45 : 0.75 },
          fill: [Object.assign({ test: "datum.group === 'ok'" }, category ? byCategory : { value: colour("dot") }), { value: "transparent" }],
          stroke: [Object.assign({ test: "datum.group === 'ok'" }, category ? byCategory : { value: colour("dot") }), { value: colour("bad") }],
          strokeWidth: { value: 1 }, tooltip: { field: "trial" } }, across)),
        { type: "line", clip: true, from: { data: "step" }, encode: { update: { x: { scale: "x", field: "x" }, y: { scale: "y", field: "y" },
          stroke: { value: colour("accent") }, strokeOpacity: { value: 0.55 }, strokeWidth: { value: 1.5 },
          interpolate: { value: single || xo.minimise ? "step-after" : "step-before" } } } },
        { type: "rule", clip: true, from: { data: "intervals" }, encode: { update: single ?
          { x: { scale: "x", field: "trial" }, y: { scale: "y", field: "low" }, y2: { scale: "y", field: "high" }, stroke: { value: colour("accent") } } :
          { x: { scale: "x", field: "low" }, x2: { scale: "x", field: "high" }, y: { scale: "y", field: yf }, stroke: { value: colour("accent") } } } },
        symbol("front", Object.assign({ size: { value: 62 }, stroke: { value: colour("panel") }, strokeWidth: { value: 1.2 },
          fill: category ? byCategory : third === undefined ? { value: colour("accent") } : { scale: "third", field: "v" + third }, tooltip: { field: "trial" } }, across)),
      ],
    };
    if (category) {
      spec.scales.push(category);
      spec.legends = [{ fill: "category", title: data.colourings[state.colouring].label, orient: "right", symbolSize: 70, titlePadding: 8, titleLimit: 150, labelLimit: 170, labelColor: colour("soft") }];
    } else if (third !== undefined && front.length) {
      const o = data.objectives[third];
      spec.scales.push({ name: "third", type: "linear", domain: padded(front.map((p) => p["v" + third])), range: [colour("third-low") || "#c9a227", colour("accent")], interpolate: "lab" });
      spec.legends = [{ fill: "third", title: o.heading, type: "gradient", orient: "right", gradientLength: 160, titlePadding: 8, titleLimit: 150, labelColor: colour("soft") }];
    }
    addLimits(spec, single ? null : state.x, yi);
    return spec;
  }

  // A dashed line at every limit that stands inside the picture.
  function addLimits(spec, xi, yi) {
    [["x", xi], ["y", yi]].forEach(([scale, index]) => {
      if (index === null || data.objectives[index].limit === null) return;
      const at = data.objectives[index].limit / data.objectives[index].factor;
      const domain = spec.scales.find((s) => s.name === scale).domain;
      if (at < domain[0] || at > domain[1]) return;
      const other = scale === "x" ? { y: { value: 0 }, y2: { field: { group: "height" } } } : { x: { value: 0 }, x2: { field: { group: "width" } } };
      spec.marks.push({ type: "rule", encode: { update: Object.assign({ [scale]: { scale, value: at }, stroke: { value: colour("bad") }, strokeDash: { value: [5, 4] } }, other) } });
    });
  }

  function progressSpec() {
    const single = optimised.length === 1;
    const factor = single ? data.objectives[optimised[0]].factor : 1;
    const rows = data.hypervolume.map((s) => ({ x: s[0], y: s[1] / factor }));
    const domain = single ? padded(rows.map((r) => r.y)) : [0, Math.min(1, Math.max(...rows.map((r) => r.y)) * 1.06) || 1];
    return {
      height: 230,
      data: [{ name: "steps", values: rows }],
      scales: [number("x", "width", [0, Math.max(...rows.map((r) => r.x))]), number("y", "height", domain)],
      axes: [axis("bottom", "x", "evaluated candidates", 8), axis("left", "y", single ? "best " + data.objectives[optimised[0]].heading : "hypervolume (share)", 5)],
      marks: [{ type: "area", from: { data: "steps" }, encode: { update: { x: { scale: "x", field: "x" }, y: { scale: "y", field: "y" },
        y2: { scale: "y", value: domain[0] }, fill: { value: colour("accent") }, fillOpacity: { value: single ? 0 : 0.1 }, interpolate: { value: "step-after" } } } },
      { type: "line", from: { data: "steps" }, encode: { update: { x: { scale: "x", field: "x" }, y: { scale: "y", field: "y" },
        stroke: { value: colour("accent") }, strokeWidth: { value: 2 }, interpolate: { value: "step-after" } } } }],
    };
  }

  // Prediction p is within a share e of measurement m when p/(1+e) <= m <= p/(1-e).
  function comparisonSpec(comparison) {
    const o = data.objectives[comparison.objective];
    const unit = (v) => shown(o, v);
    const rows = comparison.pairs.map(([trial, p, m]) => ({ trial, p: p / o.factor, m: m / o.factor, predicted: unit(p), measured: unit(m),
      error: (100 * (p - m) / Math.abs(m)).toFixed(1) + " %" }));
    const domain = padded(rows.flatMap((r) => [r.p, r.m]));
    const band = (share) => domain.map((p) => ({ p, low: p / (1 + Math.sign(p) * share), high: p / (1 - Math.sign(p) * share) }));
    const area = (name, fill) => ({ type: "area", clip: true, from: { data: name }, encode: { update: { x: { scale: "x", field: "p" },
      y: { scale: "y", field: "low" }, y2: { scale: "y", field: "high" }, fill: { value: fill } } } });
    return {
      height: 340,
      data: [{ name: "pairs", values: rows }, { name: "ten", values: band(0.1) }, { name: "five", values: band(0.05) }, { name: "even", values: domain.map((p) => ({ p })) }],
      scales: [number("x", "width", domain), number("y", "height", domain)],
      axes: [axis("bottom", "x", comparison.predicted_heading, 6), axis("left", "y", comparison.measured_heading, 6)],
      marks: [area("ten", colour("band-soft")), area("five", colour("band")),
        { type: "line", clip: true, from: { data: "even" }, encode: { update: { x: { scale: "x", field: "p" }, y: { scale: "y", field: "p" }, stroke: { value: colour("faint") }, strokeDash: { value: [4, 4] } } } },
        symbol("pairs", { x: { scale: "x", field: "p" }, y: { scale: "y", field: "m" }, size: { value: 34 }, fill: { value: colour("accent") }, fillOpacity: { value: 0.8 }, tooltip: { field: "trial" } })],
    };
  }

  // ---- controls ----
  function buildControls() {
    const bar = document.getElementById("front-controls");
    if (!bar) return;
    const fates = [];  // entries that hold only without a colouring
    const showLegend = () => fates.forEach((entry) => { entry.style.display = state.colouring < 0 ? "" : "none"; });
    if (optimised.length > 1) {
      [["y", "Up"], ["x", "Across"]].forEach(([key, text]) => {
        if (optimised.length < 3 && data.objectives.length < 3) return;
        const label = element("label", bar, text);
        const select = element("select", label);
        data.objectives.forEach((o, i) => { const option = element("option", select, o.label); option.value = i; option.selected = state[key] === i; });
        select.addEventListener("change", () => { state[key] = +select.value; drawFront(); });
      });
    }
    if (data.colourings.length) {
      const label = element("label", bar, "Colour");
      const select = element("select", label);
      [{ label: "front" }, ...data.colourings].forEach((one, i) => { const option = element("option", select, one.label); option.value = i - 1; option.selected = state.colouring === i - 1; });
      select.addEventListener("change", () => { state.colouring = +select.value; showLegend(); drawFront(); });
    }
    const check = (text, key) => {
      const label = element("label", bar);
      const box = element("input", label);
      box.type = "checkbox";
      box.checked = state[key];
      label.append(text);
      box.addEventListener("change", () => { state[key] = box.checked; drawFront(); });
    };
    if (points.some((p) => !p.front)) { check("all trials", "all"); if (points.some((p) => p.front)) check("zoom to the front", "zoom"); }
    const legend = element("div", bar);
    legend.className = "legend";
    [["front", "front", data.front_label], ["ok", "", "feasible"], ["broken", "broken", "breaks a limit"]].forEach(([group, style, text]) => {
      if (!points.some((p) => p.group === group)) return;
      const entry = element("span", legend, text);
      entry.className = style;
      if (group !== "broken") fates.push(entry);
    });
    showLegend();
  }

  const drawFront = () => { if (points.length && optimised.length) draw("front-chart", frontSpec(), handler("trial", fillTip)); };
  function drawAll() {
    drawFront();
    if (data.hypervolume.length) draw("progress-chart", progressSpec());
    data.comparisons.forEach((c, i) => { if (c.pairs.length) draw("comparison-" + i, comparisonSpec(c), handler("trial", fillPairTip)); });
  }
  buildControls();
  drawing.keepDrawn(drawAll);
})();
