/**
 * Who signed a digest: recovery of the public key from an ECDSA signature over secp256k1.
 *
 * Everything here is public, so nothing takes pains about time.
 * Source: SEC 1 section 4.1.6, SEC 2 section 2.4.1.
 */

import { fromNumber, toBigInt, concat } from "./bytes.js";
import { wrong } from "./errors.js";
import { keccak256 } from "./keccak.js";

const P = 2n ** 256n - 2n ** 32n - 977n;
export const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const G = [
  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
];
const WINDOW = 5;

const mod = (a, m = P) => ((a % m) + m) % m;

function power(base, exponent) {
  let result = 1n;
  let square = base;
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

export function inverse(a, m) {
  let [r0, r1, t0, t1] = [m, mod(a, m), 0n, 1n];
  while (r1 > 0n) {
    const q = r0 / r1;
    [r0, r1] = [r1, r0 - q * r1];
    [t0, t1] = [t1, t0 - q * t1];
  }
  return mod(t0, m);
}

// Points are [X, Y, Z] with x = X/Z², y = Y/Z³; null is the point at infinity.

function double(p) {
  if (p === null || p[1] === 0n) return null;
  const [X, Y, Z] = p;
  const yy = (Y * Y) % P;
  const s = (4n * X * yy) % P;
  const m = (3n * X * X) % P;
  const x = mod(m * m - 2n * s);
  const y = mod(m * (s - x) - 8n * yy * yy);
  return [x, y, (2n * Y * Z) % P];
}

function add(p, q) {
  if (p === null) return q;
  if (q === null) return p;
  const [X1, Y1, Z1] = p;
  const [X2, Y2, Z2] = q;
  const z1 = (Z1 * Z1) % P;
  const z2 = (Z2 * Z2) % P;
  const u1 = (X1 * z2) % P;
  const u2 = (X2 * z1) % P;
  const s1 = (Y1 * z2 * Z2) % P;
  const s2 = (Y2 * z1 * Z1) % P;
  if (u1 === u2) return s1 === s2 ? double(p) : null;
  const h = u2 - u1;
  const r = s2 - s1;
  const hh = mod(h * h);
  const hhh = mod(hh * h);
  const v = (u1 * hh) % P;
  const x = mod(r * r - hhh - 2n * v);
  return [x, mod(r * (v - x) - s1 * hhh), mod(Z1 * Z2 * h)];
}

/** Return the multiples 0 to 2^WINDOW - 1 of a point. */
function multiples(point) {
  const table = [null];
  for (let n = 1; n < 1 << WINDOW; n++) table.push(add(table[n - 1], point));
  return table;
}

let tableOfG = null;

/** Return a·G + b·Q. */
function combine(a, b, Q) {
  tableOfG ??= multiples([...G, 1n]);
  const tableOfQ = multiples(Q);
  const mask = (1n << BigInt(WINDOW)) - 1n;
  let sum = null;
  for (let at = Math.ceil(256 / WINDOW) * WINDOW - WINDOW; at >= 0; at -= WINDOW) {
    for (let n = 0; n < WINDOW; n++) sum = double(sum);
    sum = add(sum, tableOfG[Number((a >> BigInt(at)) & mask)]);
    sum = add(sum, tableOfQ[Number((b >> BigInt(at)) & mask)]);
  }
  return sum;
}

/**
 * Return the 64 octets of the public key that made the signature over a digest.
 *
 * @param recoveryId 0 to 3. @throws signature_wrong: no key made it.
 */
export function recoverPublicKey(digest, r, s, recoveryId) {
  const fail = (what) => wrong("signature_wrong", `no key can be recovered: ${what}`);
  if (r <= 0n || r >= ORDER || s <= 0n || s >= ORDER) throw fail("r or s is out of range");
  const x = recoveryId & 2 ? r + ORDER : r;
  if (x >= P) throw fail("r names no point");
  const square = (x * x * x + 7n) % P;
  let y = power(square, (P + 1n) / 4n);
  if ((y * y) % P !== square) throw fail("r names no point");
  if ((y & 1n) !== BigInt(recoveryId & 1)) y = P - y;
  const byR = inverse(r, ORDER);
  const z = toBigInt(digest);
  const sum = combine(mod(-z * byR, ORDER), (s * byR) % ORDER, [x, y, 1n]);
  if (sum === null) throw fail("it gives the point at infinity");
  const byZ = inverse(sum[2], P);
  const byZZ = (byZ * byZ) % P;
  return concat(
    fromNumber((sum[0] * byZZ) % P, 32),
    fromNumber((sum[1] * byZZ * byZ) % P, 32),
  );
}

/** Return the address that belongs to a public key of 64 octets. */
export const addressOf = (publicKey) => keccak256(publicKey).subarray(12);

/** Return the address that sealed a digest; a seal has r, s and a recovery id of 0 to 3, s in either half. */
export function recoverSealer(digest, seal) {
  if (seal.length !== 65 || seal[64] > 3) throw wrong("seal_invalid", "not r, s and a recovery id");
  const [r, s] = [toBigInt(seal.subarray(0, 32)), toBigInt(seal.subarray(32, 64))];
  try {
    return addressOf(recoverPublicKey(digest, r, s, seal[64]));
  } catch {
    throw wrong("seal_invalid", "no key made this seal");
  }
}

/** Return the address that signed an entry's digest (protocol section 5: low s, v 27 or 28). */
export function recoverSigner(digest, signature) {
  checkSignatureForm(signature, "signature_form");
  const [r, s] = [toBigInt(signature.subarray(0, 32)), toBigInt(signature.subarray(32, 64))];
  return addressOf(recoverPublicKey(digest, r, s, signature[64] - 27));
}

/** Refuse a signature that is not in its one form, under this code. */
export function checkSignatureForm(signature, code) {
  const fail = (what) => wrong(code, `the signature's ${what}`);
  if (signature.length !== 65) throw fail("length is not 65");
  const [r, s] = [toBigInt(signature.subarray(0, 32)), toBigInt(signature.subarray(32, 64))];
  if (r <= 0n || r >= ORDER) throw fail("r is out of range");
  if (s <= 0n || s > ORDER / 2n) throw fail("s is not in the low half");
  if (signature[64] !== 27 && signature[64] !== 28) throw fail("v is neither 27 nor 28");
}
