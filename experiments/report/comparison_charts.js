// Draws the charts of a comparison from the JSON in #report-data: all fronts, and hypervolume against trials.
(function() {
'use strict';
const data = JSON.parse(document.getElementById('report-data').textContent);
const {colour, element, tip, draw, padded, axis, number, palette} = drawing;
const shapes = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down', 'triangle-right', 'triangle-left'];
const cycle = (list) => data.rows.map((_, i) => list[i % list.length]);
const state = {
  y: 0,
  x: 1,
  zoom: false
};

// Members in printed units. `behind`: another member of its front is better, by what was measured again.
const better = (a, b) => data.objectives.every((o, i) => o.minimise ? a[i] <= b[i] : a[i] >= b[i]) &&
    data.objectives.some((o, i) => a[i] !== b[i]);
const fronts = data.studies.map((study) => study.members.map((m) => {
  const row = {
    study: study.name,
    row: data.rows[study.row],
    trial: m.trial,
    again: m.again,
    choices: m.choices,
    raw: m.values,
    behind: study.members.some((other) => better(other.values, m.values))
  };
  data.objectives.forEach((o, i) => { row['v' + i] = m.values[i] / o.factor; });
  return row;
}));

function fillTip(d) {
  tip.replaceChildren();
  element('b', tip, d.row);
  tip.append(' · ' + (d.study === d.row ? '' : d.study + ', ') + 'trial ' + d.trial + (d.behind ? ' · behind its front' : ''));
  drawing.rows(tip, data.objectives.map((o, i) => [o.label, (d.raw[i] / o.factor).toFixed(o.decimals) + ' ' + o.unit]));
  if (d.again) element('div', tip, 'measured again at the end');
  element('div', tip).className = 'rule';
  drawing.rows(tip, d.choices);
}

const scales = () => [{name: 'colour', type: 'ordinal', domain: data.rows, range: cycle(palette)},
  {name: 'shape', type: 'ordinal', domain: data.rows, range: cycle(shapes)}];
function legends(id, marks) {
  const width = document.getElementById(id).clientWidth;
  const longest = Math.max(...data.rows.map((name) => name.length));
  return [Object.assign(
      {
        fill: 'colour',
        orient: 'top',
        direction: 'horizontal',
        columns: Math.max(1, Math.min(data.rows.length, Math.floor(width / (46 + 7.2 * Math.min(longest, 40))))),
        columnPadding: 22,
        rowPadding: 5,
        symbolSize: 80,
        symbolStrokeWidth: 0,
        labelLimit: 300,
        labelFontSize: 13,
        offset: 12
      },
      marks ? {shape: 'shape'} : {symbolType: 'square'})];
}

// Without the tenth of the members that is worst in what goes up: one bad end squeezes everything else.
function inView() {
  const worstFirst = fronts.flat().sort(
      (a, b) => (a['v' + state.y] - b['v' + state.y]) * (data.objectives[state.y].minimise ? -1 : 1));
  return state.zoom ? worstFirst.slice(Math.floor(worstFirst.length / 10)) : worstFirst;
}

function frontSpec() {
  const xf = 'v' + state.x, yf = 'v' + state.y, all = inView();
  const thin = data.grouped;
  const sets = [], lines = [], marks = [];
  const across = {x: {scale: 'x', field: xf}, y: {scale: 'y', field: yf}};
  fronts.forEach((front, i) => {
    const own = {scale: 'colour', value: data.rows[data.studies[i].row]};
    const step = front.filter((m) => !m.behind).sort((a, b) => a[xf] - b[xf]);
    sets.push({name: 'front' + i, values: front}, {name: 'step' + i, values: data.objectives.length === 2 ? step : []});
    lines.push({
      type: 'line',
      clip: true,
      from: {data: 'step' + i},
      encode: {
        update: Object.assign(
            {
              stroke: own,
              strokeWidth: {value: thin ? 1 : 1.75},
              strokeOpacity: {value: thin ? 0.5 : 0.7},
              interpolate: {value: data.objectives[state.x].minimise ? 'step-after' : 'step-before'}
            },
            across)
      }
    });
    marks.push({
      type: 'symbol',
      clip: true,
      from: {data: 'front' + i},
      encode: {
        update: Object.assign(
            {
              shape: {scale: 'shape', value: data.rows[data.studies[i].row]},
              size: {value: thin ? 26 : 66},
              fill: [{test: 'datum.behind', value: 'transparent'}, own],
              stroke: [Object.assign({test: 'datum.behind'}, own), {value: colour('panel')}],
              strokeWidth: [{test: 'datum.behind', value: 1.2}, {value: thin ? 0.5 : 1}],
              fillOpacity: {value: thin ? 0.8 : 1},
              tooltip: {field: 'trial'}
            },
            across)
      }
    });
  });
  return {
    height: 440,
    data: sets,
    scales: [
      number('x', 'width', padded(all.map((m) => m[xf]))), number('y', 'height', padded(all.map((m) => m[yf]))),
      ...scales()
    ],
    axes: [axis('bottom', 'x', data.objectives[state.x].heading, 8), axis('left', 'y', data.objectives[state.y].heading)],
    legends: legends('front-chart', true),
    marks: [...lines, ...marks],
  };
}

function progressSpec() {
  const sets = [], marks = [];
  const place = (field) => ({x: {scale: 'x', field: 'x'}, y: {scale: 'y', field}, interpolate: {value: 'step-after'}});
  const series = data.means.map((mean) => ({
    row: data.rows[mean.row],
    steps: mean.steps.map(([x, y, sd]) => ({x, y: 100 * y, low: 100 * Math.max(0, y - sd), high: 100 * Math.min(1, y + sd)}))
  }));
  series.forEach(({row, steps}, i) => {
    const own = {scale: 'colour', value: row};
    sets.push({name: 'mean' + i, values: steps});
    if (data.grouped) {
      marks.unshift({
        type: 'area',
        clip: true,
        from: {data: 'mean' + i},
        encode: {
          update: Object.assign({y2: {scale: 'y', field: 'low'}, fill: own, fillOpacity: {value: 0.14}}, place('high'))
        }
      });
    }
    marks.push({
      type: 'line',
      clip: true,
      from: {data: 'mean' + i},
      encode: {update: Object.assign({stroke: own, strokeWidth: {value: 2}}, place('y'))}
    });
  });
  // The first tenth climbs from nothing and would leave no height for the rest.
  const end = Math.max(...series.flatMap((one) => one.steps.map((s) => s.x)));
  const high = Math.max(...series.flatMap((one) => one.steps.map((s) => data.grouped ? s.high : s.y)));
  const low = Math.min(...series.filter((one) => one.steps.length).map((one) => {
    const before = one.steps.filter((s) => s.x <= Math.max(end / 10, one.steps[0].x));
    return data.grouped ? before[before.length - 1].low : before[before.length - 1].y;
  }));
  const room = (high - low) * 0.15 || 1;
  return {
    height: 260,
    data: sets,
    scales: [
      number('x', 'width', [0, end]), number('y', 'height', [Math.max(0, low - room), Math.min(100, high + room)]),
      scales()[0]
    ],
    axes: [axis('bottom', 'x', 'evaluated candidates', 8), axis('left', 'y', 'hypervolume (%)', 5)],
    legends: legends('progress-chart', false),
    marks,
  };
}

function buildControls() {
  const bar = document.getElementById('front-controls');
  if (!bar) return;
  [['y', 'Up'], ['x', 'Across']].forEach(([key, text]) => {
    if (data.objectives.length < 3) return;
    const select = element('select', element('label', bar, text));
    data.objectives.forEach((o, i) => {
      const option = element('option', select, o.label);
      option.value = i;
      option.selected = state[key] === i;
    });
    select.addEventListener('change', () => {
      state[key] = +select.value;
      drawAll();
    });
  });
  const label = element('label', bar), box = element('input', label);
  box.type = 'checkbox';
  label.append('leave out the worst tenth');
  box.addEventListener('change', () => {
    state.zoom = box.checked;
    drawAll();
  });
}

function drawAll() {
  if (!data.means.some((mean) => mean.steps.length)) return;
  if (data.objectives.length > 1) draw('front-chart', frontSpec(), drawing.handler('trial', fillTip));
  draw('progress-chart', progressSpec());
}
buildControls();
drawing.keepDrawn(drawAll);
})();
