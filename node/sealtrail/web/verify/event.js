/**
 * The content of an event: that it is in its one byte form and within its limits, and which items it names.
 *
 * What GS1's JSON schema refuses is not looked for here: event_schema.js tells which events are surely its.
 * Source: protocol sections 1, 2 and 4.
 */

import { equal } from "./bytes.js";
import { malformed, unavailable } from "./errors.js";
import { itemKey } from "./entry.js";
import { canonicalLink, canonical, gtinOfPack, lotOf, readIdentifier } from "./gs1.js";
import { encodeJson, has, isObject, parseJson } from "./json.js";

export const EVENT_MEDIA_TYPE = "application/ld+json";
/** Of events of which parts are shown: those of one that came in XML are JSON as well. */
export const PARTS_MEDIA_TYPES = [EVENT_MEDIA_TYPE, "application/xml"];
const CONTENT_BYTES_MAX = 16 * 1024 * 1024;
const VALUES_MAX = 200_000;
const DEPTH_MAX = 32;
const ITEMS_MAX = 50_000;
const URI_CHARACTERS_MAX = 2048;
const TYPES = new Set(["ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent"]);
/** Tell whether it is one of the standard's event types, or a name with a namespace: somebody's own. */
const isEventType = (type) => TYPES.has(type) || (typeof type === "string" && type.includes(":"));
const MASTER_DATA = new Set(["urn:epcglobal:cbv:mda", "urn:epcglobal:cbv:mda:"]);

// What names items, in the order in which a disclosure root has their elements.
export const LISTS = [
  "epcList", "childEPCs", "quantityList", "childQuantityList", "inputEPCList", "inputQuantityList",
  "outputEPCList", "outputQuantityList",
];

const fail = (what) => malformed("content_unreadable", what);
const tooLarge = (what) => unavailable("content_too_large", what); // nothing that this program reads

/** Read content. @throws content_unreadable: not in the form of section 2, as far as that is looked at here. */
export function parseEvent(content) {
  if (content.length > CONTENT_BYTES_MAX) throw tooLarge("more than 16 MiB");
  const event = parseJson(content, "content_unreadable", { depthMax: DEPTH_MAX });
  checkEvent(event);
  if (!equal(encodeJson(event), content)) throw fail("not in its one byte form");
  return event;
}

/** Check what was read, or what was joined of parts. @throws content_unreadable, content_too_large. */
export function checkEvent(event) {
  if (!isObject(event) || !isEventType(event.type)) throw fail("not an event of EPCIS 2.0");
  if (!has(event, "@context")) throw fail("no @context");
  if (has(event, "recordTime")) throw fail("a recordTime, which content has not");
  for (const name of LISTS) list(event, name);
  checkNumbers(event);
  if (countValues(event) > VALUES_MAX) throw tooLarge("more than 200,000 values");
}

const countValues = (value) =>
  typeof value === "object" && value !== null
    ? Object.values(value).reduce((sum, each) => sum + countValues(each), 1)
    : 1;

/** Refuse integers beyond 2^53 - 1, written as such: from 10^21 on there is an exponent. */
function checkNumbers(value) {
  const isInteger = typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 1e21;
  if (isInteger && !Number.isSafeInteger(value)) throw fail("an integer beyond 2^53 - 1");
  if (typeof value === "object" && value !== null) Object.values(value).forEach(checkNumbers);
}

function list(event, name) {
  const value = has(event, name) ? event[name] : [];
  if (!Array.isArray(value)) throw fail(`${name} is no list`);
  return value;
}

function uri(value, name) {
  if (typeof value !== "string" || [...value.slice(0, 2 * URI_CHARACTERS_MAX + 1)].length > URI_CHARACTERS_MAX) {
    throw fail(`an identifier in ${name} is none`);
  }
  return value;
}

const epcs = (event, name) => list(event, name).map((each) => uri(each, name));

const classes = (event, name) =>
  list(event, name).map((each) => {
    if (!isObject(each) || !has(each, "epcClass")) throw fail(`${name} has an element without a class`);
    return uri(each.epcClass, name);
  });

// Which member names what: each place and the two members that its items stand in.
const PLACES = [
  ["epc", epcs, ["epcList", "childEPCs"]],
  ["class", classes, ["quantityList", "childQuantityList"]],
  ["parent", (event, name) => (has(event, name) ? [uri(event[name], name)] : []), ["parentID"]],
  ["input", epcs, ["inputEPCList"]],
  ["input_class", classes, ["inputQuantityList"]],
  ["output", epcs, ["outputEPCList"]],
  ["output_class", classes, ["outputQuantityList"]],
];
const PACK_PLACES = new Set(["epc", "input", "output"]);

/** Return the items that an event names, `{ item, place }`, each once a place. @throws content_unreadable. */
export function itemsOf(event) {
  const found = new Map();
  const note = (item, place) => found.set(`${place} ${item}`, { item, place });
  let count = 0;
  for (const [place, read, names] of PLACES) {
    for (const name of names) {
      const identifiers = read(event, name);
      count += identifiers.length;
      if (count > ITEMS_MAX) throw tooLarge("more than 50,000 items");
      for (const identifier of identifiers) {
        const item = readIdentifier(identifier);
        note(item ? canonicalLink(item) : canonical(identifier), place);
        if (PACK_PLACES.has(place)) noteLinkedLot(item, note);
      }
    }
  }
  noteLots(event, note);
  return [...found.values()];
}

/** Note the lot in a pack's own Digital Link. */
function noteLinkedLot(item, note) {
  const gtin = gtinOfPack(item);
  if (gtin !== null && has(item.qualifiers, "10")) note(lotOf(gtin, item.qualifiers[10]), "lot");
}

/** Note the lots of the master data, with each GTIN among the packs that the event makes or names. */
function noteLots(event, note) {
  const lots = lotNumbers(event);
  if (!lots.length) return;
  const packs = [...epcs(event, "epcList"), ...epcs(event, "outputEPCList")];
  const gtins = new Set(packs.map((each) => gtinOfPack(readIdentifier(each))).filter((gtin) => gtin));
  if (gtins.size * lots.length > ITEMS_MAX) throw tooLarge("more than 50,000 lots");
  for (const gtin of gtins) for (const lot of lots) note(lotOf(gtin, lot), "lot");
}

/** Return the distinct lot numbers of an event's master data. */
function lotNumbers(event) {
  if (!isObject(event.ilmd)) return [];
  const prefixes = prefixesOf(event["@context"]);
  const lots = new Set();
  for (const [name, value] of Object.entries(event.ilmd)) {
    const colon = name.indexOf(":");
    if (name.slice(colon + 1) !== "lotNumber" || !MASTER_DATA.has(prefixes.get(name.slice(0, colon)))) continue;
    for (const each of Array.isArray(value) ? value : [value]) {
      if (typeof each === "string" && each.trim()) lots.add(each.trim());
    }
  }
  return [...lots];
}

/** Return what each prefix stands for, as far as master data need it; later parts of a context win. */
function prefixesOf(context) {
  const prefixes = new Map([["cbvmda", "urn:epcglobal:cbv:mda:"]]);
  for (const part of Array.isArray(context) ? context : [context]) {
    if (!isObject(part)) continue;
    for (const [name, value] of Object.entries(part)) {
      if (typeof value === "string") prefixes.set(name, value);
    }
  }
  return prefixes;
}

/** Return the item keys of an event, not sorted. */
export const keysOf = (event, itemSalt) =>
  itemsOf(event).map(({ item, place }) => itemKey(itemSalt, item, place === "lot"));
