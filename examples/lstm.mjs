// An LSTM layer with its gradients, in JavaScript, that answers JSON lines: node lstm.mjs

import { createInterface } from "node:readline";

const GATES = ["f", "i", "c", "o"];
const sigmoid = (a) => 1 / (1 + Math.exp(-a));
const zeros = (...shape) =>
  shape.length ? Array.from({ length: shape[0] }, () => zeros(...shape.slice(1))) : 0;
const sum = (terms) => terms.reduce((total, term) => total + term, 0);

// One row of one step: x and h are lists of numbers, W[g] has a row of n + m weights for every unit.
function step(params, x, h, c) {
  const z = [...x, ...h];
  const gate = {};
  for (const g of GATES) {
    const activation = g === "c" ? Math.tanh : sigmoid;
    gate[g] = params[`b_${g}`].map((b, unit) =>
      activation(b + sum(params[`W_${g}`][unit].map((w, k) => w * z[k]))),
    );
  }
  const next = c.map((before, unit) => gate.f[unit] * before + gate.i[unit] * gate.c[unit]);
  return { z, gate, before: c, c: next, h: next.map((value, unit) => gate.o[unit] * Math.tanh(value)) };
}

// All steps, each a list of what step returns for every row.
function run(params, { x, h0, c0 }) {
  const steps = [];
  let [h, c] = [h0, c0];
  for (const rows of x) {
    const done = rows.map((row, b) => step(params, row, h[b], c[b]));
    steps.push(done);
    [h, c] = [done.map((row) => row.h), done.map((row) => row.c)];
  }
  return { steps, h, c };
}

function forward({ params, arrays }) {
  const { steps, h, c } = run(params, arrays);
  return { arrays: { y: steps.map((rows) => rows.map((row) => row.h)), h, c } };
}

function backward({ params, arrays }) {
  const { x, dy, dh, dc } = arrays;
  const n = x[0][0].length;
  const dparams = {};
  for (const [name, value] of Object.entries(params)) {
    dparams[name] = zeros(...(Array.isArray(value[0]) ? [value.length, value[0].length] : [value.length]));
  }
  const dx = zeros(x.length, x[0].length, n);
  const [dh0, dc0] = [dh.map((row) => [...row]), dc.map((row) => [...row])];
  const { steps } = run(params, arrays);
  for (let t = x.length - 1; t >= 0; t--) {
    steps[t].forEach(({ z, gate: { f, i, c: candidate, o }, before, c }, b) => {
      const da = { f: [], i: [], c: [], o: [] };
      c.forEach((value, unit) => {
        const squashed = Math.tanh(value);
        const dhUnit = dy[t][b][unit] + dh0[b][unit];
        const dcUnit = dc0[b][unit] + dhUnit * o[unit] * (1 - squashed * squashed);
        da.f.push(dcUnit * before[unit] * f[unit] * (1 - f[unit]));
        da.i.push(dcUnit * candidate[unit] * i[unit] * (1 - i[unit]));
        da.c.push(dcUnit * i[unit] * (1 - candidate[unit] * candidate[unit]));
        da.o.push(dhUnit * squashed * o[unit] * (1 - o[unit]));
        dc0[b][unit] = dcUnit * f[unit];
      });
      const dz = zeros(z.length);
      for (const g of GATES) {
        da[g].forEach((d, unit) => {
          dparams[`b_${g}`][unit] += d;
          z.forEach((value, k) => {
            dparams[`W_${g}`][unit][k] += d * value;
            dz[k] += d * params[`W_${g}`][unit][k];
          });
        });
      }
      [dx[t][b], dh0[b]] = [dz.slice(0, n), dz.slice(n)];
    });
  }
  return { dparams, arrays: { dx, dh0, dc0 } };
}

const hello = () => ({ protocol: 1, gradients: true, versions: { node: process.versions.node } });
const calls = { hello, forward, backward };

// JSON has no numbers for these; Number reads the texts, and this writes them.
const written = (key, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value);
const texts = new Set(["NaN", "Infinity", "-Infinity"]);
const read = (key, value) => (texts.has(value) ? Number(value) : value);

for await (const line of createInterface({ input: process.stdin })) {
  let id = 0;
  let answer;
  try {
    const request = JSON.parse(line, read);
    id = request.id;
    answer = calls[request.call](request);
  } catch (error) {
    answer = { error: { message: error.message } };
  }
  process.stdout.write(`${JSON.stringify({ id, ...answer }, written)}\n`);
}
