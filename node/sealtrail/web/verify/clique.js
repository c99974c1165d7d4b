/**
 * Clique: what a header must be, who sealed it, and what its vote does.
 *
 * Source: protocol section 14.3; EIP-225.
 */

import { concat, equal, fromHex, isZero, split, toHex } from "./bytes.js";
import { wrong } from "./errors.js";
import { hashWithExtra, NO_UNCLES, plainHash } from "./header.js";
import { recoverSealer } from "./secp256k1.js";
import { cast, changed, votesAfter } from "./votes.js";

const VANITY_BYTES = 32;
const SEAL_BYTES = 65;

export const cliqueHash = plainHash;

const isEpoch = (header, epoch) => header.number % BigInt(epoch) === 0n;

function checkForm(header) {
  const bad = (what) => wrong("header_form_wrong", `not a Clique header: ${what}`);
  if (header.items.length > 16) throw bad("more than 16 items");
  if (!isZero(header.mixHash)) throw bad("a mix hash");
  if (!equal(header.unclesHash, NO_UNCLES)) throw bad("uncles");
  if (header.difficulty !== 1n && header.difficulty !== 2n) throw bad("another difficulty than 1 or 2");
  if (header.gasLimit >= 1n << 63n || header.gasUsed > header.gasLimit) throw bad("a wrong gas limit");
}

function checkVote(header, members, epoch) {
  const none = isZero(header.nonce);
  if (!none && !header.nonce.every((byte) => byte === 0xff)) throw wrong("vote_malformed", "a wrong nonce");
  const extra = header.extraData;
  if (!isEpoch(header, epoch)) {
    if (extra.length !== VANITY_BYTES + SEAL_BYTES) throw wrong("extra_data_malformed", `${extra.length} bytes`);
    return;
  }
  if (!none || !isZero(header.beneficiary)) throw wrong("epoch_vote", "a vote in an epoch's first block");
  const listed = extra.subarray(VANITY_BYTES, -SEAL_BYTES);
  if (extra.length < VANITY_BYTES + SEAL_BYTES || !equal(listed, concat(...members.map(fromHex)))) {
    throw wrong("epoch_signers_wrong", "it lists other signers");
  }
}

/**
 * Check a header and return who sealed it, as hex.
 *
 * @param members the signers after the parent, ascending. @param recent who sealed before it, oldest first.
 */
export function checkClique(header, members, recent, epoch) {
  checkForm(header);
  checkVote(header, members, epoch);
  const extra = header.extraData;
  const unsealed = extra.subarray(0, extra.length - SEAL_BYTES);
  const sealer = toHex(recoverSealer(hashWithExtra(header, unsealed), extra.subarray(-SEAL_BYTES)));
  const place = members.indexOf(sealer);
  if (place < 0) throw wrong("sealer_unauthorized", `0x${sealer} is no signer of block ${header.number}`);
  const apart = Math.floor(members.length / 2);
  if (apart && recent.slice(-apart).includes(sealer)) {
    throw wrong("sealer_too_soon", `0x${sealer} sealed one of the ${apart} blocks before ${header.number}`);
  }
  const inTurn = Number(header.number % BigInt(members.length)) === place;
  if (header.difficulty !== (inTurn ? 2n : 1n)) throw wrong("difficulty_wrong", `of block ${header.number}`);
  return sealer;
}

/** Return the signers that block 0 lists. */
export const cliqueSigners = (header) =>
  split(header.extraData.subarray(VANITY_BYTES, -SEAL_BYTES), 20).map(toHex).sort();

/** Return `{ members, votes }` after a header that was checked. */
export function countCliqueVote(header, sealer, { members, votes }, epoch) {
  const kept = isEpoch(header, epoch) ? [] : votes;
  const vote = {
    voter: sealer,
    subject: toHex(header.beneficiary),
    admit: header.nonce[0] === 0xff,
    sure: true,
  };
  const { votes: noted, change } = cast(kept, members, vote);
  if (change === null) return { members, votes: noted };
  return { members: changed(members, change), votes: votesAfter(noted, change) };
}
