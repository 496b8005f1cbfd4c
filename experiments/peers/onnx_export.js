#!/usr/bin/env node
// Exported networks in ONNX Runtime: networks of several spaces are trained for a few steps, exported for any batch and for
// one, and run by ONNX Runtime and by `ridgeline evaluate` on the same validation images.
//
//     cmake --preset release && ninja -C build/release ridgeline
//     ONNXRUNTIME_NODE_INSTALL_CUDA=skip npm install --prefix build/peers onnxruntime-node@1.20.1
//     NODE_PATH=build/peers/node_modules node experiments/peers/onnx_export.js build/release/bin/ridgeline
//
// Prints for every network: the largest difference of a probability and of its logarithm, images that the two classify
// differently, and both accuracies. Fails where a probability differs by more than 1e-4.
'use strict';

const {execFileSync} = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const ort = require('onnxruntime-node');

const mostDifference = 1e-4;
// [space, seed of the network, channels, height and width that it takes, training images, epochs]
const networks = [
  ['plain_cnn', 3, 1, 32, 4700, 2],
  ['vit_small', 3, 1, 32, 4700, 2],
  ['vit_small', 5, 1, 32, 4700, 2],
  ['nasbench_macro', 3, 3, 32, 940, 2],
  ['nasbench201', 3, 3, 32, 940, 2],
  ['nasbench201', 6, 3, 32, 940, 2],
  ['resnet', 3, 3, 128, 470, 1],
  ['mobilenet_v2', 3, 3, 160, 235, 1],
  ['ofa_mobilenet_v3', 3, 3, 136, 235, 1],
];

const program = path.resolve(process.argv[2]);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'onnx_export-'));
const ridgeline = (...words) =>
    execFileSync(program, words.map(String), {cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});

function readIdx(name) {  // 8-bit
  const bytes = fs.readFileSync(path.join(folder, name));
  const dims = [];
  for (let i = 0; i < bytes[3]; ++i) dims.push(bytes.readUInt32BE(4 + 4 * i));
  return {dims, values: bytes.subarray(4 + 4 * dims.length)};
}

function writeIdx(name, dims, values) {
  const head = Buffer.alloc(4 + 4 * dims.length);
  head[2] = 8;
  head[3] = dims.length;
  dims.forEach((n, i) => head.writeUInt32BE(n, 4 + 4 * i));
  fs.writeFileSync(path.join(folder, name), Buffer.concat([head, values]));
}

function readNpy(name) {  // <f4, a matrix
  const bytes = fs.readFileSync(path.join(folder, name));
  const begin = 10 + bytes.readUInt16LE(8);
  const dims = bytes.toString('latin1', 10, begin).match(/'shape': \((\d+), (\d+)\)/).slice(1).map(Number);
  return {dims, values: new Float32Array(bytes.buffer.slice(bytes.byteOffset + begin, bytes.byteOffset + bytes.length))};
}

// The grey images of the built-in set at another size, in three different channels.
function enlarged(grey, channels, size) {
  const [count, height, width] = grey.dims;
  const values = Buffer.alloc(count * channels * size * size);
  let to = 0;
  for (let n = 0; n < count; ++n) {
    for (let c = 0; c < channels; ++c) {
      for (let y = 0; y < size; ++y) {
        for (let x = 0; x < size; ++x) {
          const row = Math.floor(y * height / size), column = Math.floor(x * width / size);
          const value = grey.values[(n * height + row) * width + column];
          values[to++] = c === 0 ? value : c === 1 ? 255 - value : value >> 1;
        }
      }
    }
  }
  return {dims: [count, channels, size, size], values};
}

// The folder of a data set of these images, made once.
function dataSet(channels, size, train) {
  const base = `glyphs_${train}`, name = `${base}_${channels}x${size}`;
  if (!fs.existsSync(path.join(folder, base))) {
    ridgeline('data', 'make', 'glyphs', '--out', base, '--train', train, '--validation', train / 5, '--test', 47);
  }
  if (fs.existsSync(path.join(folder, name))) return name;
  fs.mkdirSync(path.join(folder, name));
  const description = {ridgeline_dataset: 1, name, format: 'idx', layout: 'nchw',
                       classes: JSON.parse(fs.readFileSync(path.join(folder, base, 'dataset.json'))).classes};
  for (const split of ['train', 'validation']) {
    const images = enlarged(readIdx(`${base}/${split}-images.idx3-ubyte`), channels, size);
    writeIdx(`${name}/${split}-images`, images.dims, images.values);
    fs.copyFileSync(path.join(folder, base, `${split}-labels.idx1-ubyte`), path.join(folder, name, `${split}-labels`));
    description[split] = {images: `${split}-images`, labels: `${split}-labels`};
  }
  fs.writeFileSync(path.join(folder, name, 'dataset.json'), JSON.stringify(description));
  return name;
}

function softmax(logits) {
  const most = Math.max(...logits), powers = Array.from(logits, (x) => Math.exp(x - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / sum);
}

// One row of probabilities an image, from ONNX Runtime.
async function runtimeRows(model, exported, images, batch) {
  const session = await ort.InferenceSession.create(path.join(folder, model), {intraOpNumThreads: 2});
  const [count, channels, height, width] = images.dims, size = channels * height * width, rows = [];
  for (let first = 0; first < count; first += batch) {
    const used = Math.min(batch, count - first), input = new Float32Array(used * size);
    for (let i = 0; i < input.length; ++i) {
      const channel = Math.floor(i / (height * width)) % channels;
      input[i] = (images.values[first * size + i] / 255 - exported.mean[channel]) / exported.stddev[channel];
    }
    const tensor = new ort.Tensor('float32', input, [used, channels, height, width]);
    const output = (await session.run({[session.inputNames[0]]: tensor}))[session.outputNames[0]];
    const classes = output.dims[1];
    for (let i = 0; i < used; ++i) rows.push(softmax(output.data.subarray(i * classes, (i + 1) * classes)));
  }
  return rows;
}

const best = (row) => row.indexOf(Math.max(...row));

function compare(rows, ours, labels) {
  const [count, classes] = ours.dims, result = {probability: 0, logarithm: 0, other: 0, theirs: 0, ours: 0};
  for (let n = 0; n < count; ++n) {
    const mine = Array.from(ours.values.subarray(n * classes, (n + 1) * classes));
    mine.forEach((p, i) => {
      result.probability = Math.max(result.probability, Math.abs(p - rows[n][i]));
      if (p > 1e-30) result.logarithm = Math.max(result.logarithm, Math.abs(Math.log(p) - Math.log(rows[n][i])));
    });
    result.other += best(mine) !== best(rows[n]) ? 1 : 0;
    result.theirs += best(rows[n]) === labels[n] ? 1 / count : 0;
    result.ours += best(mine) === labels[n] ? 1 / count : 0;
  }
  return result;
}

async function check([space, seed, channels, size, train, epochs], number) {
  const data = dataSet(channels, size, train), name = `${number}`;
  ridgeline('train', space, '--seed', seed, '--data', data, '--epochs', epochs, '--batch', 47, '--parameter', 'classes=47',
            '--out', `${name}.ckpt`, '--quiet');
  ridgeline('evaluate', `${name}.ckpt`, '--data', data, '--predictions', `${name}.npy`, '--quiet');
  const images = readIdx(`${data}/validation-images`), labels = readIdx(`${data}/validation-labels`).values;
  const fixedBatch = 47;  // divides the number of images
  let worst = 0;
  for (const [kind, batch] of [['dynamic', 64], [fixedBatch, fixedBatch]]) {
    const exported = JSON.parse(ridgeline('export', `${name}.ckpt`, '--out', `${name}.onnx`, '--batch', kind, '--json'));
    const rows = await runtimeRows(`${name}.onnx`, exported, images, batch);
    const found = compare(rows, readNpy(`${name}.npy`), labels);
    console.log([space.padEnd(16), String(seed).padStart(4), String(kind).padStart(8), String(exported.nodes).padStart(6),
                 String(images.dims[0]).padStart(7), found.probability.toExponential(1).padStart(9),
                 found.logarithm.toExponential(1).padStart(9), String(found.other).padStart(6),
                 (100 * found.theirs).toFixed(2).padStart(8), (100 * found.ours).toFixed(2).padStart(8)].join(' '));
    worst = Math.max(worst, found.probability);
  }
  return worst;
}

async function main() {
  console.log(`onnxruntime-node ${require('onnxruntime-node/package.json').version}; differences of probabilities\n` +
              'space            seed    batch  nodes  images   largest  of log p other class  theirs %   ours %');
  let worst = 0;
  for (const [i, network] of networks.entries()) worst = Math.max(worst, await check(network, i));
  fs.rmSync(folder, {recursive: true});
  console.log(`largest difference of a probability: ${worst.toExponential(1)} (limit ${mostDifference})`);
  process.exitCode = worst <= mostDifference ? 0 : 1;
}

main().catch((error) => {
  console.error(`${error.stderr || error.stack}\nfiles are in ${folder}`);
  process.exitCode = 1;
});
