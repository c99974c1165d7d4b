/**
 * Which blocks are final: a chain followed from its genesis, or runs of headers under a history of validators.
 *
 * Source: protocol sections 14.2 and 14.5.
 */

import { equal } from "./bytes.js";
import { unavailable, wrong } from "./errors.js";
import { checkClique, cliqueHash, cliqueSigners, countCliqueVote } from "./clique.js";
import { plainHash } from "./header.js";
import { checkQbft, countQbftVote, hasQbftMix, parseExtra, possibleLists, qbftHash, quorumOf } from "./qbft.js";
import { majorityOf } from "./votes.js";

const EPOCH = 30_000;
const NUMBER_MAX = (1n << 53n) - 1n; // what JSON keeps

function isExtra(header, form) {
  try {
    parseExtra(header.extraData, form);
    return true;
  } catch {
    return false;
  }
}

/** Tell the form of a chain from its block 0. @throws consensus_unsupported. */
export function formOfGenesis(header, epoch = EPOCH) {
  for (const name of ["qbft", "ibft2"]) if (isExtra(header, name)) return { name, epoch };
  if (hasQbftMix(header)) throw wrong("consensus_unsupported", "a chain of QBFT's kind, of another form");
  const signers = header.extraData.length - 97;
  return { name: signers > 0 && signers % 20 === 0 ? "clique" : "none", epoch };
}

export function blockHash(header, form) {
  if (form.name === "clique") return cliqueHash(header);
  return form.name === "none" ? plainHash(header) : qbftHash(header, form.name);
}

function checkNext(header, parent) {
  if (header.number !== parent.number + 1n || !equal(header.parentHash, parent.hash)) {
    throw wrong("header_not_next", `block ${header.number} does not follow block ${parent.number}`);
  }
}

function checkTime(header, parent) {
  if (header.time < parent.time) throw wrong("header_too_early", `block ${header.number}`);
}

/** Check that height and time are numbers that JSON keeps: verdicts are as of a block's time. @throws header_too_late. */
export function checkNumbers({ number, time }) {
  if (number > NUMBER_MAX || time > NUMBER_MAX) throw wrong("header_too_late", `block ${number} is of ${time}`);
}

// -- followed from the genesis ----------------------------------------------------------------------

/** Return the state after block 0. */
export function stateAtGenesis(header, form) {
  checkNumbers(header);
  const listed = form.name === "clique" ? cliqueSigners(header) : parseExtra(header.extraData, form.name).validators;
  return {
    form, number: header.number, hash: blockHash(header, form), time: header.time,
    members: [...listed].sort(), votes: [], possible: null, recent: [],
  };
}

/** Check the next header and return the state after it. */
export function follow(state, header) {
  const { form } = state;
  checkNext(header, state);
  checkTime(header, state);
  checkNumbers(header);
  const next = { form, number: header.number, hash: blockHash(header, form), time: header.time };
  if (form.name === "clique") {
    const sealer = checkClique(header, state.members, state.recent, form.epoch);
    const counted = countCliqueVote(header, sealer, state, form.epoch);
    const kept = Math.floor(counted.members.length / 2) + 1; // the list may grow by the next block
    return { ...next, ...counted, possible: null, recent: [...state.recent, sealer].slice(-kept) };
  }
  const { members } = checkQbft(header, possibleLists(state), form.name);
  return { ...next, ...countQbftVote(header, members, state, form.epoch, form.name), recent: [] };
}

// -- by a history -----------------------------------------------------------------------------------

/** Return the members that may seal a block, of intervals `{ from, members }` in ascending order. */
export function membersFor(intervals, number) {
  const found = intervals.filter((each) => BigInt(each.from) <= number).at(-1);
  if (found === undefined) throw unavailable("validators_unknown", `who may seal block ${number} is not known`);
  return found.members;
}

/**
 * Check a run of consecutive headers, and that they make the first of them final.
 *
 * @returns `{ sealers, needed, of }`: those that counted, as hex. @throws seals_too_few, and what a header is refused for.
 */
export function verifyFinal(run, form, intervals) {
  if (form.name === "none") throw unavailable("chain_without_seals", "this chain's blocks carry no seals");
  run.forEach(checkNumbers);
  run.slice(1).forEach((header, n) => {
    checkNext(header, { number: run[n].number, hash: blockHash(run[n], form) });
    checkTime(header, run[n]);
  });
  return form.name === "clique" ? finalByClique(run, form, intervals) : finalByQbft(run, form, intervals);
}

function finalByClique(run, form, intervals) {
  const sealers = [];
  for (const header of run) {
    sealers.push(checkClique(header, membersFor(intervals, header.number), sealers, form.epoch));
  }
  const members = membersFor(intervals, run[0].number + 1n);
  const counted = new Set(sealers.slice(1).filter((each) => members.includes(each)));
  return enough([...counted].sort(), majorityOf(members.length), members.length, run[0]);
}

function finalByQbft(run, form, intervals) {
  const checked = run.map((header) =>
    checkQbft(header, [membersFor(intervals, header.number)], form.name));
  const { sealers, members } = checked[0];
  return enough(sealers, quorumOf(members.length), members.length, run[0]);
}

function enough(sealers, needed, of, header) {
  if (sealers.length < needed) {
    throw wrong("seals_too_few", `${sealers.length} sealed block ${header.number} for good, ${needed} of ${of} have to`);
  }
  return { sealers, needed, of };
}
