/**
 * An event's content divided into six parts under its entry's disclosure root, and what is shown of an event in parts.
 *
 * Source: protocol sections 5 and 10 (steps 1 to 4 of an event that is shown in part).
 */

import { concat, equal, fromNumber, split, utf8 } from "./bytes.js";
import { malformed, translating, unavailable, wrong } from "./errors.js";
import { checkEvent, LISTS, PARTS_MEDIA_TYPES } from "./event.js";
import { encodeJson, has, isObject, parseJson } from "./json.js";
import { shake256 } from "./keccak.js";
import { sha256 } from "./sha2.js";
import { coveredRoot, leafHash, nodeHash, rootOf } from "./tree.js";

const MEMBERS = [
  [
    "@context", "type", "eventTime", "eventTimeZoneOffset", "eventID", "action", "bizStep", "disposition",
    "persistentDisposition", "readPoint", "bizLocation", "parentID", "transformationID", "certificationInfo",
    "errorDeclaration",
  ],
  ["sourceList", "destinationList"],
  ["bizTransactionList"],
  ["ilmd"],
];
const [CORE, REST, ITEMS] = [0, 4, 5];
const PARTS = 6;
const FIRST_PART_SALT = 2;
const FIRST_ELEMENT_SALT = FIRST_PART_SALT + PARTS;

const isElement = (name, value) => LISTS.includes(name) && !(Array.isArray(value) && value.length === 0);

/** Return the number of the part that a member belongs to. */
function partOf(name, value) {
  if (LISTS.includes(name)) return isElement(name, value) ? ITEMS : CORE;
  const part = MEMBERS.findIndex((names) => names.includes(name));
  return part < 0 ? REST : part;
}

const objectOf = (entries) => Object.assign(Object.create(null), Object.fromEntries(entries));
const encoded = (entries) => (entries.length ? encodeJson(objectOf(entries)) : utf8(""));

/** Return `{ parts, elements }`: the octets of parts 0 to 4, and of each element that names an item. */
export function divide(event) {
  const members = Object.entries(event);
  const parts = [];
  for (let n = CORE; n <= REST; n++) parts.push(encoded(members.filter(([name, value]) => partOf(name, value) === n)));
  const elements = LISTS.filter((name) => has(event, name)).flatMap((name) =>
    event[name].map((element) => encodeJson({ [name]: element })));
  return { parts, elements };
}

const itemsPart = (count, root) => concat(fromNumber(count, 4), root);

/** Return the two salted values' root; `partHashes` joined is of no octets where the content is no event. */
const rootOfValues = (hashesLeaf, salt, partHashes) => nodeHash(hashesLeaf, leafHash(concat(salt, ...partHashes)));

/** Return `{ partHashes, root }` of an entry's content; `event` is null where it is none, `eventHash` zeros then. */
export function disclosureRoot(seed, content, eventHash, event) {
  const { parts, elements } = event === null ? { parts: [], elements: [] } : divide(event);
  const salts = split(shake256(seed, 32 * (FIRST_ELEMENT_SALT + elements.length)), 32);
  const salted = (value, n) => leafHash(concat(salts[n], value));
  const partHashes = [];
  if (event !== null) {
    const root = rootOf(elements.map((element, k) => salted(element, FIRST_ELEMENT_SALT + k)));
    partHashes.push(...[...parts, itemsPart(elements.length, root)].map((part, n) => salted(part, FIRST_PART_SALT + n)));
  }
  return { partHashes, root: rootOfValues(salted(concat(sha256(content), eventHash), 0), salts[1], partHashes) };
}

// -- shown in part ----------------------------------------------------------------------------------

const malformedPart = (what) => malformed("part_malformed", what);

/** Return an object with members that stands in octets in its one byte form. */
function parsePart(octets) {
  const value = parseJson(octets, "part_malformed");
  if (!isObject(value) || !Object.keys(value).length || !equal(encodeJson(value), octets)) {
    throw malformedPart("no object with members in its one byte form");
  }
  return value;
}

/** Return what parts and elements say of an event, as one object. */
function joined(partial) {
  const event = Object.create(null);
  for (const [number, value] of new Map(partial.parts.map((each) => [each.number, each.value]))) {
    if (number > REST || !value.length) continue;
    for (const [name, member] of Object.entries(parsePart(value))) {
      if (partOf(name, member) !== number || name === "recordTime") throw malformedPart(`${name} in part ${number}`);
      event[name] = member;
    }
  }
  let last = 0;
  for (const { value } of partial.items?.elements ?? []) {
    const element = parsePart(value);
    const [name, ...others] = Object.keys(element);
    const at = LISTS.indexOf(name);
    if (at < 0 || others.length) throw malformedPart(`${name} is no list of items`);
    if (at < last) throw malformedPart(`${name} stands behind a list that follows it`);
    if (has(event, name) && !event[name].length) throw malformedPart(`${name} has elements, and is said to have none`);
    last = at;
    if (!has(event, name)) event[name] = [];
    event[name].push(element[name]);
  }
  return event;
}

/** Step 1. Return the event as far as it is shown. @throws core_withheld, content_unreadable and others. */
export function readParts(partial, mediaType) {
  if (partial.parts.every((each) => each.number !== CORE)) {
    throw unavailable("core_withheld", "the core is withheld, without which nothing can be read");
  }
  if (!PARTS_MEDIA_TYPES.includes(mediaType)) throw unavailable("media_type_unsupported", `nothing here reads ${mediaType}`);
  const event = translating(
    () => joined(partial),
    (error) => malformed("content_unreadable", `no parts of an event: ${error.message}`),
  );
  checkEvent(event);
  return event;
}

function checkAscending(shown, end) {
  if (shown.some(({ number }, n) => number >= end || (n > 0 && number <= shown[n - 1].number))) {
    throw wrong("parts_malformed", `numbers that do not ascend from 0 to ${end - 1}`);
  }
}

const saltedOf = (shown) => new Map(shown.map(({ number, salt, value }) => [number, leafHash(concat(salt, value))]));

/** Step 3: return the disclosure root that what is shown leads to. @throws parts_malformed, and what `coveredRoot` does. */
export function partialRoot(partial) {
  const { items, parts } = partial;
  const withheld = split(partial.withheld, 32);
  checkAscending(parts, ITEMS);
  if (items !== null) {
    if (items.count >= 2 ** 32) throw wrong("parts_malformed", `${items.count} elements`);
    checkAscending(items.elements, items.count);
  }
  if (partial.withheld.length % 32) throw wrong("parts_malformed", "a hash that is not of 32 bytes");
  const given = parts.length + (items === null ? 0 : 1) + withheld.length;
  if (given !== PARTS) throw wrong("parts_malformed", `${given} parts shown or withheld, of ${PARTS}`);
  const shown = saltedOf(parts);
  if (items !== null) {
    const root = coveredRoot(items.count, saltedOf(items.elements), split(items.hashes, 32));
    shown.set(ITEMS, leafHash(concat(items.salt, itemsPart(items.count, root))));
  }
  const hashes = [];
  for (let n = 0; n < PARTS; n++) hashes.push(shown.get(n) ?? withheld.shift());
  return rootOfValues(partial.hashes_leaf, partial.salt, hashes);
}

/**
 * Step 4: return the items root that the keys of the shown items lead to, or undefined if nothing is there to compare.
 *
 * @throws item_keys_differ, item_keys_unproven, and what `coveredRoot` does.
 */
export function partialItemsRoot(partial, keys, given, itemsRoot) {
  if (given.length) {
    if (!keys.every((key) => given.some((each) => equal(each, key)))) {
      throw wrong("item_keys_differ", "an item that is shown has no key among those that were given");
    }
    return itemsRoot(given);
  }
  if (partial.keys === null) return undefined;
  const { count, indices, hashes } = partial.keys;
  if (indices.length !== keys.length) {
    throw unavailable("item_keys_unproven", `${indices.length} proven keys for ${keys.length} shown items`);
  }
  if (indices.some((index, n) => n > 0 && index <= indices[n - 1])) {
    throw wrong("item_keys_unproven", "the places of the keys do not ascend");
  }
  return coveredRoot(count, new Map(indices.map((index, n) => [index, leafHash(keys[n])])), split(hashes, 32));
}
