/**
 * What tests ask of the verifier in JavaScript: a list of jobs in, a list of results out; in Node and in a browser.
 *
 * A job is `{ do: NAME, … }`; its result is `{ value }`, `{ code }` of a refusal, or `{ crash }`, which no test expects.
 */

const BASE = new URL("../../node/sealtrail/web/verify/", import.meta.url);
const load = (name) => import(new URL(name, BASE));

const { fromBase64, fromHex, fromNumber, fromUtf8, padLeft, to0x, toBigInt, toHex, utf8 } = await load("bytes.js");
const { parseNote, verifyNote } = await load("checkpoint.js");
const { verifyBundle } = await load("bundle.js");
const { follow, formOfGenesis, stateAtGenesis, verifyFinal } = await load("consensus.js");
const { isRightWrittenOut, verifyEd25519 } = await load("ed25519.js");
const entries = await load("entry.js");
const { SealtrailError } = await load("errors.js");
const { itemsOf, parseEvent } = await load("event.js");
const { eventHash, preHash } = await load("event_hash.js");
const { disclosureRoot, divide } = await load("shown.js");
const { parseAuditDigest } = await load("audit_digest.js");
const { isSurelyValid } = await load("event_schema.js");
const { splitLines } = await load("form.js");
const { canonical } = await load("gs1.js");
const { parseHeader, receiptAt, slotAt, storageRootAt } = await load("header.js");
const { parseIndexDocument, runsOf, verifyItemProof } = await load("item_index.js");
const { encodeJson, parseJson } = await load("json.js");
const { keccak256, shake256 } = await load("keccak.js");
const { encodeRecord, parseRecord, recordDigest } = await load("record.js");
const { decodeRlp, encodeRlp } = await load("rlp.js");
const { addressOf, recoverPublicKey, recoverSigner } = await load("secp256k1.js");
const { sha256, sha512 } = await load("sha2.js");
const tree = await load("tree.js");
const { parseTrust } = await load("trust.js");

const hexes = (list) => list.map(fromHex);
const network = (job) => ({
  chainId: BigInt(job.chain_id),
  genesisHash: fromHex(job.genesis_hash),
  registry: fromHex(job.registry),
});

function chainOf(job) {
  const headers = job.headers.map((each) => parseHeader(fromHex(each)));
  return { headers, form: formOfGenesis(headers[0]) };
}

const JOBS = {
  hashes: ({ data }) => {
    const bytes = fromBase64(data);
    return [toHex(sha256(bytes)), toHex(sha512(bytes)), toHex(keccak256(bytes)), toHex(shake256(bytes, 300))];
  },
  base64: ({ text }) => toHex(fromBase64(text)),
  recover: ({ digest, r, s, id }) =>
    toHex(addressOf(recoverPublicKey(fromHex(digest), toBigInt(fromHex(r)), toBigInt(fromHex(s)), id))),
  ed25519: async ({ key, message, signature }) => {
    const args = [fromHex(key), fromHex(message), fromHex(signature)];
    const isRight = isRightWrittenOut(...args);
    let platform = true;
    try {
      await verifyEd25519(...args);
    } catch {
      platform = false;
    }
    return [isRight, platform];
  },
  json: ({ data }) => toHex(encodeJson(parseJson(fromBase64(data), "json"))),
  leaf: (job) => {
    const entry = entries.parseLeaf(fromHex(job.leaf));
    if (job.registry === undefined) return entry.kind;
    const id = entries.entryId(entry, entries.domainSeparator(network(job)));
    return {
      id: toHex(id),
      signer: toHex(recoverSigner(id, entry.signature)),
      kind: entry.kind,
      member: toHex(entry.member),
      record_time_ms: String(entry.recordTimeMs),
      roots: [entry.disclosureRoot, entry.itemsRoot, entry.referencesRoot].map(toHex),
      leaf_hash: toHex(tree.leafHash(fromHex(job.leaf))),
    };
  },
  disclosure_root: ({ seed, content, event_hash }) => {
    const bytes = fromBase64(content);
    const event = event_hash === undefined ? null : parseEvent(bytes);
    const hash = event_hash === undefined ? entries.ZERO_32 : fromHex(event_hash);
    const { partHashes, root } = disclosureRoot(fromHex(seed), bytes, hash, event);
    return [partHashes.map(toHex), toHex(root)];
  },
  divide: ({ content }) => {
    const { parts, elements } = divide(parseEvent(fromBase64(content)));
    return [parts.map(fromUtf8), elements.map(fromUtf8)];
  },
  covered_root: ({ size, shown, hashes }) =>
    toHex(tree.coveredRoot(size, new Map(shown.map(([n, hash]) => [n, fromHex(hash)])), hexes(hashes))),
  audit_digest: ({ data }) => parseAuditDigest(fromHex(data)).count,
  item_keys: ({ salt, items }) => {
    const keys = items.map(([item, place]) => entries.itemKey(fromHex(salt), item, place === "lot"));
    const sorted = entries.sortedKeys(keys);
    return [sorted.map(toHex), toHex(entries.itemsRoot(keys))];
  },
  references_root: ({ references }) => toHex(entries.referencesRoot(entries.parseReferences(fromHex(references)))),
  root: ({ leaves }) => toHex(tree.rootOf(hexes(leaves).map(tree.leafHash))),
  inclusion: ({ index, size, leaf, proof, root }) => {
    tree.verifyInclusion(index, size, fromHex(leaf), hexes(proof), fromHex(root));
    return true;
  },
  consistency: ({ first, first_root, second, second_root, proof }) => {
    tree.verifyConsistency(first, fromHex(first_root), second, fromHex(second_root), hexes(proof));
    return true;
  },
  note: async ({ note, origin, key }) => {
    const read = parseNote(note);
    if (origin !== undefined) await verifyNote(read, origin, fromHex(key));
    return { size: String(read.size), root: toHex(read.root), hash: toHex(read.hash) };
  },
  runs: ({ postings }) => runsOf(postings),
  item_proof: ({ content, key, runs }) => {
    const parts = runs.map((run) => ({
      treeLeaves: run.tree_leaves, position: run.position, key: fromHex(run.key), nextKey: fromHex(run.next_key),
      leafIndices: fromHex(run.leaf_indices), hashes: fromHex(run.hashes),
    }));
    return verifyItemProof(parseIndexDocument(utf8(content)), fromHex(key), parts);
  },
  record: ({ record }) => {
    const read = parseRecord(fromHex(record));
    return {
      encoded: to0x(encodeRecord(read)), digest: to0x(recordDigest(fromHex(record))), member: to0x(read.member),
      name: read.name, glns: read.glns.map(fromUtf8), keys: read.keys.map((key) => to0x(key.publicKey)),
    };
  },
  consent: (job) => {
    const digest = keccak256(
      Uint8Array.of(0x19, 1),
      entries.domainSeparator(network(job)),
      keccak256(keccak256(utf8("Consent(bytes32 recordDigest)")), fromHex(job.record_digest)),
    );
    return [to0x(digest), to0x(recoverSigner(digest, fromHex(job.signature)))];
  },
  canonical: ({ text }) => canonical(text),
  items: ({ content }) => itemsOf(parseEvent(fromBase64(content))).map(({ item, place }) => [item, place]),
  pre_hash: ({ content }) => preHash(parseEvent(fromBase64(content))),
  event: ({ content }) => {
    const event = parseEvent(fromBase64(content));
    return [isSurelyValid(event), toHex(eventHash(event))];
  },
  rlp: ({ data }) => toHex(encodeRlp(decodeRlp(fromHex(data)))),
  header: ({ data }) => {
    const header = parseHeader(fromHex(data));
    return [String(header.number), header.items.length];
  },
  index_document: ({ data }) => parseIndexDocument(fromHex(data)).covers,
  chain: (job) => {
    const { headers, form } = chainOf(job);
    let state = stateAtGenesis(headers[0], form);
    const states = [[to0x(state.hash), state.members]];
    for (const header of headers.slice(1)) {
      state = follow(state, header);
      states.push([to0x(state.hash), state.members]);
    }
    return { form: form.name, states };
  },
  final: (job) => {
    const headers = job.headers.map((each) => parseHeader(fromHex(each)));
    const intervals = job.intervals.map(([from, members]) => ({ from, members }));
    return verifyFinal(headers, { name: job.form, epoch: job.epoch }, intervals);
  },
  receipt: ({ header, index, proof }) =>
    receiptAt(parseHeader(fromHex(header)), index, hexes(proof)).logs.map((log) => toHex(log.address)),
  slot: ({ header, address, account, slot, proof }) => {
    const root = storageRootAt(parseHeader(fromHex(header)), fromHex(address), hexes(account));
    return [to0x(root), toHex(slotAt(root, padLeft(fromNumber(BigInt(slot), 32), 32), hexes(proof)))];
  },
  trust: ({ trust }) => parseTrust(fromBase64(trust)).pinned.block,
  bundle: ({ bundle, trust, item, min_block }) =>
    verifyBundle(splitLines(fromBase64(bundle)), parseTrust(fromBase64(trust)), {
      item: item ?? null,
      minBlock: min_block ?? null,
    }),
};

/** Do one job. */
export async function run(job) {
  try {
    return { value: await JOBS[job.do](job) };
  } catch (error) {
    if (error instanceof SealtrailError) return { code: error.code, kind: error.kind, pointer: error.pointer, reason: error.message };
    return { crash: String(error?.stack ?? error) };
  }
}

/** Do jobs one after another. */
export async function runAll(jobs) {
  const results = [];
  for (const job of jobs) results.push(await run(job));
  return results;
}

