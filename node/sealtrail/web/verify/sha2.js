/**
 * SHA-256 and SHA-512, written out: the browser's own are asynchronous, and a tree takes thousands of hashes.
 *
 * Source: FIPS 180-4.
 */

import { concat } from "./bytes.js";

const K = new Int32Array(64);
const H = new Int32Array(8);
const K512 = [];
const H512 = [];

const MASK = (1n << 64n) - 1n;

/** Return the first 64 bits behind the point of the nth root of a prime (n = 2 or 3), by bisection. */
function fraction(prime, n) {
  const target = BigInt(prime) << (64n * BigInt(n));
  let low = 0n;
  let high = 1n << 70n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** BigInt(n) <= target) low = middle;
    else high = middle;
  }
  return low & MASK;
}

for (let prime = 2; K512.length < 80; prime++) {
  let composite = false;
  for (let d = 2; d * d <= prime; d++) if (prime % d === 0) composite = true;
  if (composite) continue;
  if (H512.length < 8) H512.push(fraction(prime, 2));
  K512.push(fraction(prime, 3));
}
for (let n = 0; n < 64; n++) K[n] = Number(K512[n] >> 32n);
for (let n = 0; n < 8; n++) H[n] = Number(H512[n] >> 32n);

const rotate = (x, n) => (x >>> n) | (x << (32 - n));

/** SHA-256 of what it is fed piece by piece. */
export class Sha256 {
  constructor() {
    this.state = new Int32Array(H);
    this.block = new Uint8Array(64);
    this.filled = 0;
    this.length = 0;
    this.schedule = new Int32Array(64);
  }

  update(bytes) {
    this.length += bytes.length;
    let at = 0;
    while (at < bytes.length) {
      const taken = Math.min(64 - this.filled, bytes.length - at);
      this.block.set(bytes.subarray(at, at + taken), this.filled);
      this.filled += taken;
      at += taken;
      if (this.filled === 64) this.#compress();
    }
    return this;
  }

  /** Return the digest of what was fed so far; more may follow. */
  digest() {
    const copy = new Sha256();
    copy.state.set(this.state);
    copy.block.set(this.block);
    copy.filled = this.filled;
    return copy.#finish(this.length);
  }

  #finish(length) {
    this.block[this.filled++] = 0x80;
    if (this.filled > 56) {
      this.block.fill(0, this.filled);
      this.#compress();
    }
    this.block.fill(0, this.filled);
    const view = new DataView(this.block.buffer);
    view.setUint32(56, Math.floor(length / 0x20000000));
    view.setUint32(60, (length << 3) >>> 0);
    this.#compress();
    const out = new Uint8Array(32);
    const outView = new DataView(out.buffer);
    for (let n = 0; n < 8; n++) outView.setInt32(4 * n, this.state[n]);
    return out;
  }

  #compress() {
    const w = this.schedule;
    const block = this.block;
    for (let n = 0; n < 16; n++) {
      const at = 4 * n;
      w[n] = (block[at] << 24) | (block[at + 1] << 16) | (block[at + 2] << 8) | block[at + 3];
    }
    for (let n = 16; n < 64; n++) {
      const x = w[n - 15] | 0;
      const y = w[n - 2] | 0;
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
      w[n] = (w[n - 16] + s0 + w[n - 7] + s1) | 0;
    }
    const s = this.state;
    let a = s[0];
    let b = s[1];
    let c = s[2];
    let d = s[3];
    let e = s[4];
    let f = s[5];
    let g = s[6];
    let h = s[7];
    for (let n = 0; n < 64; n++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[n] + w[n]) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    s[0] += a;
    s[1] += b;
    s[2] += c;
    s[3] += d;
    s[4] += e;
    s[5] += f;
    s[6] += g;
    s[7] += h;
    this.filled = 0;
  }
}

/** Return the SHA-256 digest of the parts joined. */
export function sha256(...parts) {
  const hash = new Sha256();
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const rotate64 = (x, n) => ((x >> n) | (x << (64n - n))) & MASK;

/** Return the SHA-512 digest of the parts joined; for short texts (it counts with BigInt). */
export function sha512(...parts) {
  const message = concat(...parts);
  const padded = new Uint8Array(((message.length + 17 + 127) >> 7) << 7);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(message.length) * 8n);
  let state = [...H512];
  const w = new Array(80);
  for (let at = 0; at < padded.length; at += 128) {
    for (let n = 0; n < 16; n++) w[n] = view.getBigUint64(at + 8 * n);
    for (let n = 16; n < 80; n++) {
      const [x, y] = [w[n - 15], w[n - 2]];
      const s0 = rotate64(x, 1n) ^ rotate64(x, 8n) ^ (x >> 7n);
      const s1 = rotate64(y, 19n) ^ rotate64(y, 61n) ^ (y >> 6n);
      w[n] = (w[n - 16] + s0 + w[n - 7] + s1) & MASK;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let n = 0; n < 80; n++) {
      const s1 = rotate64(e, 14n) ^ rotate64(e, 18n) ^ rotate64(e, 41n);
      const t1 = h + s1 + ((e & f) ^ ((e ^ MASK) & g)) + K512[n] + w[n];
      const s0 = rotate64(a, 28n) ^ rotate64(a, 34n) ^ rotate64(a, 39n);
      const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) & MASK, c, b, a, (t1 + t2) & MASK];
    }
    state = [a, b, c, d, e, f, g, h].map((x, n) => (x + state[n]) & MASK);
  }
  const out = new Uint8Array(64);
  const outView = new DataView(out.buffer);
  state.forEach((x, n) => outView.setBigUint64(8 * n, x));
  return out;
}
