// Draws the learning curve of a training from the JSON in #report-data.
(function() {
'use strict';
const data = JSON.parse(document.getElementById('report-data').textContent);
const {colour, element, tip, draw, padded, axis, number, symbol} = drawing;
const percent = (share) => (100 * share).toFixed(2) + ' %';
// Half an epoch to both sides belongs to an epoch's hover band.
const rows = data.epochs.map(
    (e) => Object.assign(
        {
          left: e.epoch - 0.5,
          right: e.epoch + 0.5,
          train_percent: 100 * e.train_accuracy,
          validation_percent: 100 * e.validation_accuracy
        },
        e));
const smallest = rows.some((r) => r.smallest_accuracy !== undefined);  // of a supernet
rows.forEach((r) => {
  if (smallest) r.smallest_percent = 100 * (r.smallest_accuracy || 0);
});
const dotted = rows.length <= 60;  // more of them would hide the line

function fillTip(d) {
  tip.replaceChildren();
  element('b', tip, 'Epoch ' + d.epoch);
  drawing.rows(
      tip,
      [
        ['train loss', d.train_loss.toFixed(4)], ['validation loss', d.validation_loss.toFixed(4)],
        ['train accuracy', percent(d.train_accuracy)], ['validation accuracy', percent(d.validation_accuracy)]
      ]
          .concat(
              smallest ? [['of the smallest', percent(d.smallest_accuracy)]] : [],
              [['learning rate', String(+d.learning_rate.toPrecision(4))], ['time', d.seconds.toFixed(1) + ' s']]));
}

function spec(height, title, series, domain) {
  const across = rows.length > 1 || data.planned > 1 ? [1, Math.max(data.planned, 2)] : [0.5, 1.5];
  const marks = [];
  series.forEach(({field, stroke, width, interpolate}) => {
    const place = {x: {scale: 'x', field: 'epoch'}, y: {scale: 'y', field}};
    marks.push({
      type: 'line',
      from: {data: 'epochs'},
      encode: {
        update: Object.assign(
            {
              stroke: {value: colour(stroke)},
              strokeWidth: {value: width},
              strokeCap: {value: 'round'},
              interpolate: {value: interpolate || 'linear'}
            },
            place)
      }
    });
    if (dotted) {
      marks.push(symbol('epochs', Object.assign({size: {value: 26}, fill: {value: colour(stroke)}}, place)));
      marks[marks.length - 1].clip = false;
    }
  });
  marks.push({
    type: 'rect',
    clip: true,
    from: {data: 'epochs'},
    encode: {
      update: {
        x: {scale: 'x', field: 'left'},
        x2: {scale: 'x', field: 'right'},
        y: {value: 0},
        y2: {field: {group: 'height'}},
        fill: {value: 'transparent'},
        tooltip: {field: 'epoch'}
      },
      hover: {fill: {value: colour('accent')}, fillOpacity: {value: 0.08}}
    }
  });
  const bottom = axis('bottom', 'x', 'epoch', Math.min(8, Math.max(1, data.planned - 1)));
  return {
    height,
    data: [{name: 'epochs', values: rows}],
    scales: [number('x', 'width', across), number('y', 'height', domain)],
    axes: [Object.assign(bottom, {format: 'd', tickMinStep: 1}), axis('left', 'y', title, 5)],
    marks,
  };
}

function curve(id, title, train, validation, best) {
  const series = [{field: train, stroke: 'faint', width: 1.75}, {field: validation, stroke: 'accent', width: 2.25}];
  if (best && smallest) series.push({field: 'smallest_percent', stroke: 'good', width: 2});
  const made = spec(270, title, series, padded(rows.flatMap((r) => series.map((one) => r[one.field]))));
  if (best && rows.length > 1 && data.best !== null) {
    made.data.push({name: 'best', values: rows.filter((r) => r.epoch === data.best)});
    made.marks.splice(-1, 0, {
      type: 'symbol',
      from: {data: 'best'},
      encode: {
        update: {
          x: {scale: 'x', field: 'epoch'},
          y: {scale: 'y', field: validation},
          size: {value: 120},
          stroke: {value: colour('accent')},
          strokeWidth: {value: 1.5}
        }
      }
    });
  }
  draw(id, made, drawing.handler('epoch', fillTip));
}

function legend(id, extra) {
  const bar = document.getElementById(id);
  const list = element('div', bar);
  list.className = 'legend';
  [['train', 'train'], ['validation', 'validation']].concat(extra).forEach(([style, text]) => {
    element('span', list, text).className = style;
  });
}

function drawAll() {
  if (!rows.length) return;
  curve('loss-chart', 'loss (nats)', 'train_loss', 'validation_loss', false);
  curve('accuracy-chart', 'accuracy (%)', 'train_percent', 'validation_percent', true);
  draw(
      'rate-chart',
      spec(
          150, 'learning rate', [{field: 'learning_rate', stroke: 'accent', width: 2}],
          [0, Math.max(...rows.map((r) => r.learning_rate)) * 1.05 || 1]),
      drawing.handler('epoch', fillTip));
}
legend('loss-controls', []);
legend(
    'accuracy-controls',
    (smallest ? [['smallest', 'of the smallest']] : []).concat(rows.length > 1 ? [['best', 'best epoch']] : []));
drawing.keepDrawn(drawAll);
})();
