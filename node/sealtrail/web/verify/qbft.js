/**
 * QBFT and IBFT 2.0: what a header must be, who committed to it, and what its vote does.
 *
 * Source: protocol section 14.4.
 */

import { equal, fromHex, isZero, toHex } from "./bytes.js";
import { translating, wrong } from "./errors.js";
import { hashWithExtra, NO_UNCLES } from "./header.js";
import { decodeRlp, encodeRlp, readNumber } from "./rlp.js";
import { recoverSealer } from "./secp256k1.js";
import { cast, changed, votesAfter } from "./votes.js";

const MIX_HASH = fromHex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365");
const ADD = 0xff;
const NOTHING = new Uint8Array(0);

export const hasQbftMix = (header) => equal(header.mixHash, MIX_HASH);
export const quorumOf = (count) => Math.ceil((2 * count) / 3);

const isOctets = (item, length) => !Array.isArray(item) && item.length === length;

/** Return [subject, whether to add] or null. */
function readVote(item, form, bad) {
  const isNone = form === "qbft" ? Array.isArray(item) && !item.length : isOctets(item, 0);
  if (isNone) return null;
  if (!Array.isArray(item) || item.length !== 2 || !isOctets(item[0], 20)) throw bad("a vote that is none");
  if (isOctets(item[1], 1) && item[1][0] === ADD) return [toHex(item[0]), true];
  const removes = form === "qbft" ? isOctets(item[1], 0) : isOctets(item[1], 1) && item[1][0] === 0;
  if (!removes) throw bad("a vote that is none");
  return [toHex(item[0]), false];
}

/** Read a header's extra data. @throws extra_data_malformed. */
export function parseExtra(bytes, form) {
  const bad = (what) => wrong("extra_data_malformed", `not ${form} extra data: ${what}`);
  const items = translating(() => decodeRlp(bytes), (error) => bad(error.message));
  if (!Array.isArray(items) || items.length !== 5) throw bad("not a list of five");
  const [vanity, validators, vote, round, seals] = items;
  if (Array.isArray(vanity)) throw bad("no vanity");
  if (!Array.isArray(validators) || !validators.every((each) => isOctets(each, 20))) throw bad("no validators");
  const isRound = form === "qbft" ? readNumber(round, 4) !== null : isOctets(round, 4);
  if (!isRound) throw bad("no round");
  if (!Array.isArray(seals) || !seals.every((each) => isOctets(each, 65))) throw bad("no seals");
  return { items, validators: validators.map(toHex), vote: readVote(vote, form, bad), seals };
}

/** Return the hash of a block: round and seals emptied (IBFT 2.0: left out). */
export function qbftHash(header, form) {
  const { items } = parseExtra(header.extraData, form);
  const bare = form === "qbft" ? [...items.slice(0, 3), NOTHING, []] : items.slice(0, 3);
  return hashWithExtra(header, encodeRlp(bare));
}

function checkForm(header, form) {
  const bad = (what) => wrong("header_form_wrong", `not a ${form} header: ${what}`);
  if (!hasQbftMix(header)) throw bad("another mix hash");
  if (!equal(header.unclesHash, NO_UNCLES)) throw bad("uncles");
  if (header.difficulty !== 1n) throw bad("another difficulty than 1");
  if (header.gasUsed > header.gasLimit) throw bad("a wrong gas limit");
  if (form === "ibft2" && !isZero(header.nonce)) throw bad("a nonce");
}

/** Check a header and return who committed to it, as hex; `lists` are those that its validators may be. */
export function checkQbft(header, lists, form) {
  checkForm(header, form);
  const extra = parseExtra(header.extraData, form);
  if (!extra.validators.length) throw wrong("validators_in_contract", "the validators stand in a contract");
  const members = lists.find((list) => list.join() === extra.validators.join());
  if (members === undefined) throw wrong("validators_not_voted", `of block ${header.number}`);
  const proposer = toHex(header.beneficiary);
  if (!members.includes(proposer)) throw wrong("proposer_unauthorized", `0x${proposer}`);
  const { items } = extra;
  const signed = encodeRlp(form === "qbft" ? [...items.slice(0, 4), []] : items.slice(0, 4));
  const digest = hashWithExtra(header, signed);
  const sealers = new Set();
  for (const seal of extra.seals) {
    const sealer = toHex(recoverSealer(digest, seal));
    if (!members.includes(sealer)) throw wrong("sealer_unauthorized", `0x${sealer} is no validator`);
    if (sealers.has(sealer)) throw wrong("seal_repeated", `0x${sealer} twice`);
    sealers.add(sealer);
  }
  if (sealers.size < quorumOf(members.length)) {
    throw wrong("seals_too_few", `${sealers.size} of ${members.length} validators`);
  }
  return { sealers: [...sealers].sort(), members };
}

/** Return the lists that a block's validators may be after this state: one, or two where an epoch left it open. */
export const possibleLists = ({ members, possible }) =>
  possible ? [members, changed(members, possible)] : [members];

/** Return `{ members, votes, possible }` after a header that was checked; `listed` are its own validators. */
export function countQbftVote(header, listed, state, epoch, form) {
  let votes = settle(state, listed);
  const isEpoch = header.number % BigInt(epoch) === 0n;
  if (isEpoch) votes = votes.filter((vote) => !vote.admit).map((vote) => ({ ...vote, sure: false }));
  const { vote } = parseExtra(header.extraData, form);
  if (vote === null) return { members: listed, votes, possible: null };
  const [subject, admit] = vote;
  const counted = cast(votes, listed, { voter: toHex(header.beneficiary), subject, admit, sure: !isEpoch });
  if (counted.change === null) return { members: listed, votes: counted.votes, possible: counted.possible };
  return {
    members: changed(listed, counted.change),
    votes: votesAfter(counted.votes, counted.change),
    possible: null,
  };
}

/** Return the votes that are left once a header shows whether a possible change was made. */
function settle({ members, votes, possible }, listed) {
  if (!possible) return votes;
  if (listed.join() !== members.join()) return votesAfter(votes, possible);
  return votes.filter((vote) => vote.sure || vote.subject !== possible.subject);
}
