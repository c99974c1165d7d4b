/**
 * Keccak-256 as Ethereum has it, with the padding of the competition (0x01), and SHAKE256, with that of FIPS 202 (0x1f).
 *
 * Source: the Keccak reference, version 3.0; round constants by its linear feedback shift register; FIPS 202.
 */

import { concat } from "./bytes.js";

const RATE = 136;
const ROUNDS = 24;
const CONSTANTS = new Uint32Array(2 * ROUNDS); // low and high half of each
const ROTATIONS = new Uint8Array(25);
const MOVES = new Uint8Array(25); // lane n goes to place MOVES[n]

let register = 1;
for (let round = 0; round < ROUNDS; round++) {
  for (let j = 0; j <= 6; j++) {
    const bit = (1 << j) - 1;
    if (register & 1) CONSTANTS[2 * round + (bit >> 5)] ^= 1 << (bit & 31);
    register = register & 0x80 ? ((register << 1) ^ 0x171) & 0xff : register << 1;
  }
}
let [x, y] = [1, 0];
for (let t = 0; t < 24; t++) {
  ROTATIONS[x + 5 * y] = (((t + 1) * (t + 2)) / 2) % 64;
  [x, y] = [y, (2 * x + 3 * y) % 5];
}
for (let n = 0; n < 25; n++) {
  const [column, row] = [n % 5, Math.floor(n / 5)];
  MOVES[n] = row + 5 * ((2 * column + 3 * row) % 5);
}

/** Permute the state: 25 lanes, the low half of each before the high one. */
function permute(a) {
  const moved = new Uint32Array(50);
  const parity = new Uint32Array(10);
  for (let round = 0; round < ROUNDS; round++) {
    for (let n = 0; n < 10; n++) parity[n] = a[n] ^ a[n + 10] ^ a[n + 20] ^ a[n + 30] ^ a[n + 40];
    for (let column = 0; column < 5; column++) {
      const left = 2 * ((column + 4) % 5);
      const right = 2 * ((column + 1) % 5);
      const low = parity[left] ^ ((parity[right] << 1) | (parity[right + 1] >>> 31));
      const high = parity[left + 1] ^ ((parity[right + 1] << 1) | (parity[right] >>> 31));
      for (let n = 2 * column; n < 50; n += 10) {
        a[n] ^= low;
        a[n + 1] ^= high;
      }
    }
    for (let n = 0; n < 25; n++) {
      let [low, high] = [a[2 * n], a[2 * n + 1]];
      let by = ROTATIONS[n];
      if (by >= 32) {
        [low, high] = [high, low];
        by -= 32;
      }
      const to = 2 * MOVES[n];
      moved[to] = by ? (low << by) | (high >>> (32 - by)) : low;
      moved[to + 1] = by ? (high << by) | (low >>> (32 - by)) : high;
    }
    for (let row = 0; row < 50; row += 10) {
      for (let n = 0; n < 10; n++) {
        a[row + n] = moved[row + n] ^ (~moved[row + ((n + 2) % 10)] & moved[row + ((n + 4) % 10)]);
      }
    }
    a[0] ^= CONSTANTS[2 * round];
    a[1] ^= CONSTANTS[2 * round + 1];
  }
}

function sponge(message, suffix, length) {
  const padded = new Uint8Array(Math.ceil((message.length + 1) / RATE) * RATE);
  padded.set(message);
  padded[message.length] ^= suffix;
  padded[padded.length - 1] ^= 0x80;
  const view = new DataView(padded.buffer);
  const state = new Uint32Array(50);
  for (let at = 0; at < padded.length; at += RATE) {
    for (let n = 0; n < RATE / 4; n++) state[n] ^= view.getUint32(at + 4 * n, true);
    permute(state);
  }
  const out = new Uint8Array(Math.ceil(length / RATE) * RATE);
  const outView = new DataView(out.buffer);
  for (let at = 0; at < length; at += RATE) {
    if (at) permute(state);
    for (let n = 0; n < RATE / 4; n++) outView.setUint32(at + 4 * n, state[n], true);
  }
  return out.subarray(0, length);
}

/** Return the Keccak-256 digest of the parts joined. */
export const keccak256 = (...parts) => sponge(concat(...parts), 0x01, 32);

/** Return so many octets of SHAKE256. */
export const shake256 = (message, length) => sponge(message, 0x1f, length);
