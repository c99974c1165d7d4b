/**
 * Checkpoints: signed notes of three lines, and witnesses' cosignatures on them.
 *
 * Source: protocol section 7; C2SP signed-note, tlog-checkpoint and tlog-cosignature.
 */

import { concat, equal, fromBase64, toBigInt, utf8 } from "./bytes.js";
import { verifyEd25519 } from "./ed25519.js";
import { malformed, translating, wrong } from "./errors.js";
import { sha256 } from "./sha2.js";

const NOTE_CHARACTERS_MAX = 8192;
const SIGNATURES_MAX = 32;
const ORIGIN = /^sealtrail\/0x[0-9a-f]{64}\/0x[0-9a-f]{40}\/0x[0-9a-f]{40}$/;
const SIZE = /^(?:0|[1-9][0-9]{0,18})$/;
// A key name is not empty and has neither blanks (of any kind) nor a plus.
const SIGNATURE_LINE = /^— ([^\s+\u0085\u001c-\u001f]+) ([A-Za-z0-9+/]+={0,2})$/;
const SIGNED = Uint8Array.of(1);
export const COSIGNED = Uint8Array.of(4);
const AUDIT = "sealtrail/index-audit/1";
export const AUDITED = concat(Uint8Array.of(0xff), utf8(AUDIT));

export const keyId = (name, algorithm, publicKey) =>
  sha256(utf8(name), Uint8Array.of(0x0a), algorithm, publicKey).subarray(0, 4);

/** Read a note: `{ text, origin, size, root, hash, signatures }`. @throws note_malformed, origin_malformed. */
export function parseNote(note) {
  const fail = (what) => malformed("note_malformed", `not a checkpoint note: ${what}`);
  // characters, not code units
  if (note.length > 2 * NOTE_CHARACTERS_MAX || [...note].length > NOTE_CHARACTERS_MAX) throw fail("too long");
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) throw fail("control characters");
  const end = note.indexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) throw fail("no text and signatures");
  const text = note.slice(0, end + 1);
  const lines = text.split("\n");
  if (lines.length !== 4) throw fail("the text has not three lines");
  const [origin, size, root] = lines;
  if (!SIZE.test(size) || BigInt(size) >= 2n ** 63n) throw fail("a size that is none");
  const rootHash = translating(() => fromBase64(root), () => fail("a root that is none"));
  if (rootHash.length !== 32) throw fail("a root of another length");
  if (!ORIGIN.test(origin)) throw malformed("origin_malformed", `not an origin: ${origin.slice(0, 64)}`);
  const signatures = note.slice(end + 2, -1).split("\n");
  if (signatures.length > SIGNATURES_MAX) throw fail("too many signatures");
  return {
    text,
    origin,
    size: BigInt(size),
    root: rootHash,
    hash: sha256(utf8(text)),
    signatures: signatures.map((line) => parseSignature(line, fail)),
  };
}

function parseSignature(line, fail) {
  const match = SIGNATURE_LINE.exec(line);
  if (match === null) throw fail("a signature line that is none");
  const blob = translating(() => fromBase64(match[2]), () => fail("a signature that is no base64"));
  if (blob.length < 5) throw fail("a signature without its key id");
  return { name: match[1], keyId: blob.subarray(0, 4), value: blob.subarray(4) };
}

/** Check that a note is of that log and signed by its key. @throws note_of_another_log, note_unsigned, signature_wrong. */
export async function verifyNote(note, origin, publicKey) {
  if (note.origin !== origin) throw wrong("note_of_another_log", `of ${note.origin}`);
  const id = keyId(origin, SIGNED, publicKey);
  const own = note.signatures.filter((each) => each.name === origin && equal(each.keyId, id));
  if (!own.length) throw wrong("note_unsigned", "not signed by the log's key");
  for (const each of own) await verifyEd25519(publicKey, utf8(note.text), each.value);
}

/** Check a signature line that has a witness's name and key id. @throws signature_wrong. */
export const verifyCosignature = (note, line, publicKey) => verifyTimed(note, line, publicKey, "cosignature/v1");

/** Check a signature line that has an auditor's name and key id. @throws signature_wrong. */
export const verifyIndexAudit = (note, line, publicKey) => verifyTimed(note, line, publicKey, AUDIT);

async function verifyTimed(note, { value }, publicKey, statement) {
  if (value.length !== 72) throw wrong("signature_wrong", `${value.length} bytes, not 72`);
  const time = toBigInt(value.subarray(0, 8));
  if (time >= 2n ** 63n) throw wrong("signature_wrong", `of the time ${time}`);
  await verifyEd25519(publicKey, utf8(`${statement}\ntime ${time}\n${note.text}`), value.subarray(8));
}
