// SPDX-License-Identifier: Apache-2.0
const {Worker, isMainThread, parentPort, workerData} = require('worker_threads');
const {execFileSync, fork} = require('child_process');
const zlib = require('zlib'), crypto = require('crypto');
const sha = (data) => crypto.createHash('sha256').update(data).digest('hex');
function work(seed) {
  const words = Array.from({length: 60000}, (_, n) => String((n * (seed + 7)) % 9973)).sort();
  const packed = zlib.deflateSync(words.join(' '));
  const buffers = Array.from({length: 300}, (_, n) => Buffer.alloc(10000 + n, n & 255));
  return sha(zlib.inflateSync(packed)) + sha(Buffer.concat(buffers));
}
if (!isMainThread) { parentPort.postMessage(work(workerData)); }
else if (process.argv[2] === 'child') { process.send(work(99), () => process.disconnect()); }
else (async () => {
  const once = (emitter, event) => new Promise((done, fail) => { emitter.on(event, done); emitter.on('error', fail); });
  const results = await Promise.all([1, 2, 3, 4].map((seed) => once(new Worker(__filename, {workerData: seed}), 'message')));
  results.push(await once(fork(__filename, ['child']), 'message'));
  results.push(execFileSync('/bin/echo', ['through', 'exec']).toString());
  const memory = new WebAssembly.Memory({initial: 10, maximum: 400});
  for (let i = 0; i < 30; ++i) memory.grow(10);
  results.push(memory.buffer.byteLength);
  results.push((await new Promise((done) => crypto.scrypt('word', 'salt', 64, {N: 16384}, (_, key) => done(key)))).toString('hex'));
  results.push((await new Promise((done) => zlib.brotliCompress(Buffer.alloc(1 << 20, 'offheap'), (_, out) => done(out)))).length);
  console.log(sha(JSON.stringify(results)));
})();
