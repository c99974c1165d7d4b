/**
 * Ed25519 verification: by the platform's WebCrypto where it has that algorithm, else written out.
 *
 * Both decide by the equation without the cofactor, [S]B = R + [k]A, compared in R's octets; S is below the order.
 * Source: RFC 8032 section 5.1.7.
 */

import { concat, equal, fromNumber } from "./bytes.js";
import { wrong } from "./errors.js";
import { sha512 } from "./sha2.js";
import { inverse } from "./secp256k1.js";

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (a) => ((a % P) + P) % P;

function power(base, exponent) {
  let result = 1n;
  let square = mod(base);
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

const D = mod(-121665n * inverse(121666n, P));
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n);
const IDENTITY = [0n, 1n, 1n, 0n]; // X, Y, Z, T with x = X/Z, y = Y/Z, T = XY/Z

function add([X1, Y1, Z1, T1], [X2, Y2, Z2, T2]) {
  const a = mod((Y1 - X1) * (Y2 - X2));
  const b = ((Y1 + X1) * (Y2 + X2)) % P;
  const c = (2n * T1 * T2 * D) % P;
  const d = (2n * Z1 * Z2) % P;
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), (g * h) % P, mod(f * g), mod(e * h)];
}

function multiply(scalar, point) {
  let sum = IDENTITY;
  let square = point;
  for (let s = scalar; s > 0n; s >>= 1n) {
    if (s & 1n) sum = add(sum, square);
    square = add(square, square);
  }
  return sum;
}

const littleEndian = (bytes) =>
  bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/** Return the point of 32 octets, or null; a y of P or more is taken modulo P, as OpenSSL does. */
function decode(bytes) {
  const all = littleEndian(bytes);
  const sign = all >> 255n;
  const y = mod(all & ((1n << 255n) - 1n));
  const u = mod(y * y - 1n);
  const v = mod(D * y * y + 1n);
  let x = mod(u * v ** 3n * power(u * v ** 7n, (P - 5n) / 8n));
  const square = mod(v * x * x);
  if (square === mod(-u)) x = mod(x * ROOT_OF_MINUS_ONE);
  else if (square !== u) return null;
  if (x === 0n && sign) x = 0n;
  else if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}

function encode([X, Y, Z]) {
  const byZ = inverse(Z, P);
  const [x, y] = [mod(X * byZ), mod(Y * byZ)];
  return fromNumber(y | ((x & 1n) << 255n), 32).reverse();
}

const BASE = decode(concat(Uint8Array.of(0x58), new Uint8Array(31).fill(0x66)));

/** Tell whether a signature is right; written out, for where the platform has no Ed25519. */
export function isRightWrittenOut(publicKey, message, signature) {
  const A = decode(publicKey);
  const s = littleEndian(signature.subarray(32));
  if (A === null || s >= ORDER) return false;
  const R = signature.subarray(0, 32);
  const k = littleEndian(sha512(R, publicKey, message)) % ORDER;
  const minusA = [mod(-A[0]), A[1], A[2], mod(-A[3])];
  return equal(encode(add(multiply(s, BASE), multiply(k, minusA))), R);
}

let platform; // null: it has none

async function isRight(publicKey, message, signature) {
  const subtle = globalThis.crypto?.subtle;
  if (platform === undefined) platform = subtle ?? null;
  if (platform !== null) {
    try {
      const key = await platform.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
      return await platform.verify({ name: "Ed25519" }, key, signature, message);
    } catch (error) {
      // Not supported, or a key that it does not take: decided below, the same everywhere.
      if (error?.name === "NotSupportedError") platform = null;
    }
  }
  return isRightWrittenOut(publicKey, message, signature);
}

/** Check a signature. @throws public_key_malformed, signature_wrong. */
export async function verifyEd25519(publicKey, message, signature) {
  if (publicKey.length !== 32) throw wrong("public_key_malformed", "an Ed25519 key has 32 bytes");
  if (signature.length !== 64) throw wrong("signature_wrong", "an Ed25519 signature has 64 bytes");
  if (!(await isRight(publicKey, message, signature))) {
    throw wrong("signature_wrong", "the Ed25519 signature is not this key's over these bytes");
  }
}
