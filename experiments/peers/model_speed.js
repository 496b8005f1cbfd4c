#!/usr/bin/env node
// Whole networks beside ONNX Runtime: the same ONNX files timed in turns by both, one thread each, f32 and 8 bits.
//
//     cmake --preset release && ninja -C build/release ridgeline
//     ONNXRUNTIME_NODE_INSTALL_CUDA=skip npm install --prefix build/peers onnxruntime-node@1.20.1
//     NODE_PATH=build/peers/node_modules node experiments/peers/model_speed.js build/release/bin/ridgeline \
//         MODEL.onnx=DATASET ...
//
// DATASET (see experiments/data/README.md) gives the ranges of the 8-bit model, which `ridgeline export` writes and ONNX
// Runtime runs. A round times every variant once; printed are medians over all rounds, and ONNX Runtime's time over ours,
// where what a call from JavaScript costs by itself (a model that copies its input) is taken off ONNX Runtime's.
'use strict';

const {execFileSync} = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const ort = require('onnxruntime-node');

const rounds = 7, seconds = 0.4;
const program = path.resolve(process.argv[2]);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'model_speed-'));
const ridgeline = (...words) => execFileSync(program, words.map(String), {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});

// A model that only copies its input, spelt in protobuf's wire format: what a call into the runtime costs by itself.
function copyingModel(shape) {
  const field = (number, bytes) => Buffer.concat([Buffer.from([number << 3 | 2, bytes.length]), bytes]);
  const text = (number, value) => field(number, Buffer.from(value));
  const integer = (number, value) => {
    const bytes = [number << 3];
    for (; value > 127; value = Math.floor(value / 128)) bytes.push(value % 128 | 128);
    return Buffer.from([...bytes, value]);
  };
  const dimensions = shape.map(extent => field(1, integer(1, extent)));
  const value = name => Buffer.concat(
      [text(1, name), field(2, field(1, Buffer.concat([integer(1, 1), field(2, Buffer.concat(dimensions))])))]);
  const node = Buffer.concat([text(1, 'x'), text(2, 'y'), text(4, 'Identity')]);
  const graph = Buffer.concat([field(1, node), text(2, 'g'), field(11, value('x')), field(12, value('y'))]);
  return Buffer.concat([integer(1, 7), field(7, graph), field(8, Buffer.concat([text(1, ''), integer(2, 13)]))]);
}

const median = values => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function sessionOf(file, shape) {
  const session = await ort.InferenceSession.create(
      file, {intraOpNumThreads: 1, interOpNumThreads: 1, graphOptimizationLevel: 'all', executionMode: 'sequential'});
  const size = shape.reduce((a, b) => a * b, 1);
  const values = new Float32Array(size);
  for (let i = 0; i < size; ++i) values[i] = Math.sin(i);
  const feeds = {[session.inputNames[0]]: new ort.Tensor('float32', values, shape)};
  return async () => {  // seconds a run, calls into the runtime included
    const samples = [];
    for (let i = 0; i < 20; ++i) await session.run(feeds);
    const end = process.hrtime.bigint() + BigInt(Math.round(seconds * 1e9));
    do {
      const begin = process.hrtime.bigint();
      await session.run(feeds);
      samples.push(Number(process.hrtime.bigint() - begin) * 1e-9);
    } while (process.hrtime.bigint() < end);
    return median(samples);
  };
}

function timerOf(file, format) {
  const words = ['measure', file, '--threads', 1, '--target', seconds, '--no-operators', '--json'];
  if (format) words.push('--format', format);
  return async () => {
    for (let attempt = 0;; ++attempt) {
      try {
        return JSON.parse(ridgeline(...words)).median_s;
      } catch (error) {  // code 3: the machine was too busy for a figure
        if (error.status !== 3 || attempt === 9) throw error;
      }
    }
  };
}

async function main() {
  for (const argument of process.argv.slice(3)) {
    const [model, data] = argument.split('=');
    const eight = path.join(folder, path.basename(model, '.onnx') + '_int8.onnx');
    const exported = JSON.parse(ridgeline('export', model, '--format', 'int8', '--data', data, '--batch', 1, '--out', eight, '--json'));
    const shape = exported.inputs[0].shape.map(extent => extent === 'N' ? 1 : extent);
    const copy = path.join(folder, 'copy.onnx');
    fs.writeFileSync(copy, copyingModel(shape));
    const variants = {
      'a call alone': await sessionOf(copy, shape),
      'f32 ours': timerOf(model, 'f32'), 'f32 ONNX Runtime': await sessionOf(model, shape),
      'int8 ours': timerOf(eight), 'int8 ONNX Runtime': await sessionOf(eight, shape), 'bf16 ours': timerOf(model, 'bf16'),
    };
    const times = {};
    for (let round = 0; round < rounds; ++round) {
      for (const name of Object.keys(variants)) (times[name] ??= []).push(await variants[name]());
    }
    console.log(path.basename(model));
    for (const name of Object.keys(variants)) console.log(`  ${name.padEnd(18)} ${(median(times[name]) * 1e6).toFixed(1)} us`);
    // ONNX Runtime's time without that of a call from JavaScript, which is not the network's.
    const own = name => median(times[name]) - (name.includes('Runtime') ? median(times['a call alone']) : 0);
    const ratio = (a, b) => (own(a) / own(b)).toFixed(2);
    console.log(`  ONNX Runtime over ours: f32 ${ratio('f32 ONNX Runtime', 'f32 ours')}, int8 ${ratio('int8 ONNX Runtime', 'int8 ours')}`);
    console.log(`  our f32 over our int8 ${ratio('f32 ours', 'int8 ours')}, over our bf16 ${ratio('f32 ours', 'bf16 ours')}`);
  }
}

main().finally(() => fs.rmSync(folder, {recursive: true})).catch(error => {
  console.error(error.message);
  process.exitCode = 1;
});
