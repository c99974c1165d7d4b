/**
 * What a claim of completeness takes, as far as it follows without custody's rules.
 *
 * Containers are not followed through time: it is enough that every one that the item was ever named in has its lists,
 * and where one has not, this program could not check.
 * Source: protocol section 20 (step 13).
 */

import { toHex, to0x } from "./bytes.js";
import { canonicalLink, gtinOfPack, readIdentifier } from "./gs1.js";
import { ACTIVE } from "./record.js";
import { names } from "./section.js";

const CLASSES = /^https:\/\/id\.gs1\.org\/01\/[0-9]{14}(?:\/10\/[^/]+)?$/;
const STEP = "completeness";

const UNREAD = "media_type_unsupported"; // of an event, whether it names an item is not known
const MISSING_MAX = 50; // lists of one log that are named
const keyOf = (item, packs = false) => `${packs} ${item}`;

/** Return the class of a numbered pack, or null. */
function classOf(item) {
  const gtin = gtinOfPack(readIdentifier(item));
  return gtin === null ? null : canonicalLink({ key: "01", value: gtin, qualifiers: {} });
}

const isSerial = (item) => item.startsWith("https://id.gs1.org/01/") && item.includes("/21/");

/** Return the lots and containers that the item, or what it was in, was ever named with. */
function around(sections, item) {
  const entries = sections.flatMap((section) => section.entries);
  const parents = parentsOf(entries.filter((entry) => entry.event?.type === "AggregationEvent"));
  const found = new Set();
  for (const { items } of entries.filter((entry) => entry.items.some((each) => each.item === item))) {
    for (const each of items) if (each.place === "lot") found.add(each.item);
  }
  const pending = [item];
  const seen = new Set(pending);
  while (pending.length) {
    for (const each of parents.get(pending.pop()) ?? []) {
      found.add(each);
      if (!seen.has(each)) pending.push(each);
      seen.add(each);
    }
  }
  found.delete(item);
  return found;
}

/** Return what each thing was packed into, or seen in. */
function parentsOf(aggregations) {
  const parents = new Map();
  for (const { items } of aggregations) {
    const into = items.filter((each) => each.place === "parent").map((each) => each.item);
    for (const { item } of items.filter((each) => each.place === "epc")) {
      if (!parents.has(item)) parents.set(item, new Set());
      into.forEach((each) => parents.get(item).add(each));
    }
  }
  return parents;
}

function checkLists(notebook, sections, item) {
  const surely = [[item, false]];
  if (CLASSES.test(item)) surely.push([item, true]);
  const ofPack = classOf(item);
  const perhaps = [...around(sections, item)];
  if (ofPack !== null && isSerial(item)) surely.push([ofPack, false]);
  else if (ofPack !== null) perhaps.push(ofPack);
  for (const section of sections.filter((each) => each.covered)) {
    const listed = new Set(section.lists.map((each) => keyOf(each.item, each.packs)));
    for (const [each, packs] of surely.filter((wanted) => !listed.has(keyOf(...wanted)))) {
      notebook.fails(STEP, "item_list_missing", `no list of ${each}${packs ? " beside its packs" : ""}`, section.place);
    }
    let missing = 0; // containers times logs can be more than anybody waits for
    for (const each of perhaps) {
      if (missing === MISSING_MAX) break;
      if (listed.has(keyOf(each))) continue;
      missing++;
      notebook.unknown(STEP, "containers_not_followed", `no list of ${each}; it may not be needed`, section.place);
    }
  }
  const sure = new Set(surely.map((each) => keyOf(...each)));
  const possible = new Set(perhaps.map((each) => keyOf(each)));
  checkWithheld(notebook, sections, sure, possible);
}

/** Check that each entry on a list is shown, and to name the item; `sure` and `possible` are keys of lists. */
function checkWithheld(notebook, sections, sure, possible) {
  const needed = hidden(sections, sure);
  if (needed.size) notebook.fails(STEP, "redacted_not_complete", `${needed.size} entries on the item are withheld`);
  if (hidden(sections, possible).size) {
    notebook.unknown(STEP, "containers_not_followed", "entries on what it may have been in are withheld");
  }
  for (const code of unsureOf(sections, new Set([...sure, ...possible]))) {
    notebook.unknown(STEP, code, "whether events on the lists are what was signed is not known");
  }
}

/** Return the entries, on the lists that are wanted, that do not show to name the item, and those that hide what counts. */
function hidden(sections, wanted) {
  const found = new Set();
  forListed(sections, wanted, (entry, list) => {
    if (!names(entry, list) && entry.unsure !== UNREAD) found.add(entry);
  });
  for (const entry of sections.flatMap((each) => each.entries).filter((each) => each.hides)) {
    if (entry.items.some((each) => wanted.has(keyOf(each.item, each.place === "lot")))) found.add(entry);
  }
  return found;
}

function unsureOf(sections, wanted) {
  const codes = new Set();
  forListed(sections, wanted, ({ unsure }) => unsure !== null && codes.add(unsure));
  return codes;
}

function forListed(sections, wanted, act) {
  for (const section of sections) {
    const shown = new Map(section.entries.map((each) => [each.index, each]));
    for (const list of section.lists.filter(({ item, packs }) => wanted.has(keyOf(item, packs)))) {
      for (const index of list.indices) if (shown.has(index)) act(shown.get(index), list);
    }
  }
}

/** Check that no active member is passed over in silence. */
function checkMembers(notebook, claim, trust, members) {
  const known = new Set(trust.members.map((each) => toHex(each.member)));
  for (const versions of members.members.values()) {
    const { record } = versions.at(-1);
    if (record.status === ACTIVE) known.add(toHex(record.member));
    else known.delete(toHex(record.member));
  }
  for (const each of claim.covered) known.delete(toHex(each.member));
  for (const each of claim.not_covered) known.delete(toHex(each));
  if (claim.grade !== "none" && known.size) {
    const missing = [...known].slice(0, 4).map((each) => "0x" + each).join(", ");
    notebook.fails(STEP, "member_not_mentioned", `neither covered nor named as not covered: ${missing}`);
  }
}

/** Check that as many members audited each covered log's item index as the answer says. */
function checkAudited(notebook, { auditors }, sections) {
  const covered = sections.filter((each) => each.covered);
  const found = covered.length ? Math.min(...covered.map((each) => each.auditors)) : 0;
  if (!auditors) notebook.fails(STEP, "auditors_missing", "it claims to be audited, by nobody");
  else if (found < auditors) notebook.fails(STEP, "auditors_too_few", `${found} audited each log, not ${auditors}`);
}

function checkCovered(notebook, claim, sections) {
  const told = (member, sequence, size) => `${to0x(member)} ${sequence} ${size}`;
  const found = sections
    .filter((each) => each.covered && each.anchor)
    .map((each) => told(each.member, each.anchor.sequence, each.note.size));
  const claimed = claim.covered.map((each) => told(each.member, each.sequence, each.size));
  if (found.join() !== claimed.join()) {
    notebook.fails(STEP, "covered_differs", "the answer names other logs than are covered");
  }
}

/** Return the entries, each once: as it is shown where most of it is. */
function eachOnce(entries) {
  const found = new Map();
  const rank = ({ withheld, inParts }) => (withheld ? 0 : inParts ? 1 : 2);
  for (const each of entries) {
    const known = found.get(each.id);
    if (known === undefined || rank(known) < rank(each)) found.set(each.id, each);
  }
  return [...found.values()];
}

function checkCounts(notebook, answer, sections) {
  const entries = sections.flatMap((each) => each.entries);
  const unsure = new Set(entries.map((each) => each.unsure).filter((code) => code !== null));
  for (const code of unsure) {
    notebook.unknown(STEP, code, "whether all events are what was signed is not known, so how many are withheld is not");
  }
  if (unsure.size) return;
  const once = eachOnce(entries);
  const withheld = once.filter((each) => each.withheld).length;
  const parts = once.filter((each) => each.inParts).length;
  if (withheld !== answer.withheld.entries || parts !== answer.withheld.parts) {
    const told = `not ${answer.withheld.entries} and ${answer.withheld.parts}`;
    notebook.fails(STEP, "withheld_differs", `${withheld} entries are withheld and ${parts} shown in part, ${told}`);
  }
}

function checkAsked(notebook, { first, until }, next) {
  if (next >= until) return;
  notebook.fails(STEP, "entry_left_out", `${next - first} of the ${until - first} entries that are asked for are there`);
}

/** Check that a claim is made of an item only, and of some log. */
function checkClaimed(notebook, { kind }, { grade, auditors }, sections) {
  if (grade !== "index-audited" && auditors) {
    notebook.fails(STEP, "auditors_not_claimed", `it names ${auditors} auditors and does not claim to be audited`);
  }
  if (grade === "none") return;
  if (kind !== "item") notebook.fails(STEP, "completeness_unfounded", "only an answer about an item can be shown to be complete");
  else if (!sections.some((each) => each.covered)) notebook.fails(STEP, "nothing_covered", `${grade}, and it covers no log`);
}

/** Step 13. */
export function checkCompleteness({ notebook, header, answer, sections, trust, members, asked }) {
  const claim = answer.completeness;
  checkClaimed(notebook, header.question, claim, sections);
  if (header.question.kind === "log") checkAsked(notebook, header.question, asked);
  if (header.question.kind === "item") {
    if (claim.grade === "none") {
      notebook.unknown(STEP, "completeness_not_claimed", "the issuer does not claim that these are all events");
    } else {
      checkLists(notebook, sections, header.question.item);
    }
  }
  checkMembers(notebook, claim, trust, members);
  if (claim.grade === "index-audited") checkAudited(notebook, claim, sections);
  checkCovered(notebook, claim, sections);
  checkCounts(notebook, answer, sections);
}
