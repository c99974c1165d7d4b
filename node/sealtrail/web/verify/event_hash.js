/**
 * The CBV event hash of ordinary events.
 *
 * The hash folds texts in ways that have grown (protocol section 3). What is ordinary is computed; of anything else this
 * module says that it did not compute it, and never guesses: a wrong hash would call a true event changed.
 * Source: protocol section 3; CBV 2.0 section 8.9.
 */

import { canonical, readDigitalLink, readUrn } from "./gs1.js";
import { has, isObject } from "./json.js";
import { unavailable } from "./errors.js";
import { sha256 } from "./sha2.js";
import { utf8 } from "./bytes.js";

const words = (text) => new Set(text.split(/\s+/));
const BIZ_STEP = words(`accepting arriving assembling collecting commissioning consigning creating_class_instance
  cycle_counting decommissioning departing destroying disassembling dispensing encoding entering_exiting holding
  inspecting installing killing loading other packing picking receiving removing repackaging repairing replacing
  reserving retail_selling shipping staging_outbound stock_taking stocking storing transporting unloading unpacking
  void_shipping sensor_reporting sampling`);
const DISPOSITION = words(`active container_closed damaged destroyed dispensed disposed encoded expired in_progress
  in_transit inactive no_pedigree_match non_sellable_other partially_dispensed recalled reserved retail_sold returned
  sellable_accessible sellable_not_accessible stolen unknown available completeness_verified completeness_inferred
  conformant container_open mismatch_instance mismatch_class mismatch_quantity needs_replacement non_conformant
  unavailable`);
const TRANSACTION = words("bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt");
const PARTY = words("owning_party possessing_party location");
const OTHER_WORDS = words("did_not_occur incorrect_data x y z azimuth height elevation_angle latitude longitude altitude");
const WORDS = [BIZ_STEP, DISPOSITION, TRANSACTION, PARTY, OTHER_WORDS];
const VOCABULARY = "https://ref.gs1.org/cbv/";
const MASTER_DATA = "urn:epcglobal:cbv:mda";
const GS1_PREFIXES = new Set(["gs1", "cbv", "epcis", "cbvmda", "rdfs", "owl", "xsd", "dcterms"]);

const TIME = /^(?:19[7-9]|[2-8][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,3})?(?:Z|[+-][0-9]{2}:[0-9]{2})$/;
const CBV_WORD = /urn:epcglobal:cbv:(?:bizstep|disp|btt|sdt|er):/;
const LONG_PREFIX = /^urn:epc:(?:id:grai|idpat:(?:grai|gdti|sgcn)):[0-9]{12}\./;
// what a canonical identifier escapes, and the hash does not
const URN_UNESCAPED = /^urn:epc:[a-z]+:[a-z]+:.*[!()*+,:]/;
const PERHAPS_LINK = /\/(?:[A-Za-z]+|[0-9]{2,4})\/[0-9]{4}/;
// a pack, a lot or a logistic unit under a domain of one's own, and a stem of words or none
const PLAIN = "[A-Za-z0-9'\\-.;=_]{1,20}";
const SHORT_NAMES = /\/(?:gtin|cpv|lot|ser|tpx|itip|cpid|cpsn|ginc|gsin|gln|glnx|party|gsrnp|srin|gsrn|sscc|grai|giai|gdti|gcn|upui)\//;
const SIMPLE_LINK = new RegExp(
  "^https?://[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+(?:/[A-Z]?[a-z]+_?[a-z]+)*?/" +
    `(?:00/[0-9]{18}|01/[0-9]{14}(?:/10/${PLAIN})?(?:/21/${PLAIN})?)$`,
);
const NUMBER = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

/** Return the error that says why the hash was not computed. */
const unusual = (what) => unavailable("event_hash_not_computed", `this program computes no CBV event hash with ${what}`);

// -- values -----------------------------------------------------------------------------------------

function uri(value) {
  if (typeof value !== "string" || value !== value.trim()) throw unusual("an identifier that is none");
  if (value.startsWith("urn:epc:")) {
    const isUnusual = value.includes("%") || LONG_PREFIX.test(value) || URN_UNESCAPED.test(value);
    if (isUnusual || readUrn(value) === null) throw unusual("such a URN");
    return canonical(value);
  }
  if (/^urn:/.test(value) && !CBV_WORD.test(value)) return value;
  if (/^https?:\/\//.test(value)) {
    const isSimple = SIMPLE_LINK.test(value) && !SHORT_NAMES.test(value);
    if (isSimple || (value === canonical(value) && !value.includes("%"))) return canonical(value);
    if (readDigitalLink(value) === null && !PERHAPS_LINK.test(value) && !CBV_WORD.test(value)) return value;
  }
  throw unusual(`the URI ${value.slice(0, 80)}`);
}

function word(known, name) {
  return (value) => {
    if (!known.has(value)) throw unusual(`a word that is not standard in ${name}`);
    return `${VOCABULARY}${name}-${value}`;
  };
}

/** Return a free text as the hash has it. */
function free(value, prefixes) {
  if (typeof value !== "string") throw unusual("a value that is no text");
  if (value !== value.trim() || CBV_WORD.test(value)) throw unusual("such a text");
  if (WORDS.some((known) => known.has(value)) || /^[A-Z][A-Za-z]+$|^[a-z]+_[a-z]+$|_CONDITION$/.test(value)) {
    throw unusual("a text that may be a standard word");
  }
  if (/^(?:urn:epc:|http)/.test(value)) return uri(value);
  const colon = value.indexOf(":");
  if (colon >= 0 && (GS1_PREFIXES.has(value.slice(0, colon)) || prefixes.has(value.slice(0, colon)))) {
    throw unusual("a text with a prefix");
  }
  if (/^[0-9]+$/.test(value)) return BigInt(value).toString(); // 007 is 7
  if (/^[+\-._]/.test(value) || NUMBER.test(value.replaceAll("_", "")) || /^(?![0-9])\p{Nd}/u.test(value)) {
    throw unusual("a text that looks like a number");
  }
  return value;
}

function time(value) {
  const moment = typeof value === "string" && TIME.test(value) ? new Date(value) : null;
  if (moment === null || Number.isNaN(moment.getTime())) throw unusual("such a time");
  return moment.toISOString();
}

function number(value) {
  if (typeof value !== "number" || /[^0-9.\-]/.test(String(value))) throw unusual("such a number");
  return String(value);
}

// -- fields -----------------------------------------------------------------------------------------

const listed = (value) => {
  if (!Array.isArray(value)) throw unusual("a field that is no list");
  return value;
};

function only(value, names) {
  if (!isObject(value) || Object.keys(value).some((name) => !names.includes(name))) throw unusual("extensions of a field");
  return value;
}

function plain(name, value) {
  if (typeof value !== "string") throw unusual("a field that is no text");
  return `${name}=${value}`;
}

function unit(value) {
  if (typeof value !== "string" || !/^[A-Z][A-Z0-9]{1,2}$/.test(value)) throw unusual("such a unit");
  return value;
}

const behind = (name, entries) => (entries.length ? name + entries.sort().join("") : "");
const epcs = (name, value) => behind(name, listed(value).map((each) => `epc=${uri(each)}`));

const quantities = (name, value) =>
  behind(name, listed(value).map((each) => {
    const { epcClass, quantity, uom } = only(each, ["epcClass", "quantity", "uom"]);
    let text = `quantityElementepcClass=${uri(epcClass)}`;
    if (has(each, "quantity")) text += `quantity=${number(quantity)}`;
    if (has(each, "uom")) text += `uom=${unit(uom)}`;
    return text;
  }));

function persistent(name, value) {
  only(value, ["set", "unset"]);
  const kinds = ["set", "unset"].map((kind) =>
    listed(value[kind] ?? []).map((each) => `${kind}=${word(DISPOSITION, "Disp")(each)}`).sort().join(""));
  return name + kinds.join("");
}

const place = (name, value) => `${name}id=${uri(only(value, ["id"]).id)}`;

const typed = (inner, known, vocabulary) => (name, value) =>
  behind(name, listed(value).map((each) => {
    only(each, ["type", inner]);
    const type = has(each, "type") ? `type=${word(known, vocabulary)(each.type)}` : "";
    return `${type}${inner}=${uri(each[inner])}`;
  }));

// in the order of the hash
const FIELDS = [
  ["eventTimeZoneOffset", plain],
  ["epcList", epcs],
  ["parentID", (name, value) => `${name}=${uri(value)}`],
  ["inputEPCList", epcs],
  ["childEPCs", epcs],
  ["quantityList", quantities],
  ["childQuantityList", quantities],
  ["inputQuantityList", quantities],
  ["outputEPCList", epcs],
  ["outputQuantityList", quantities],
  ["action", plain],
  ["transformationID", (name, value) => `${name}=${uri(value)}`],
  ["bizStep", (name, value) => `${name}=${word(BIZ_STEP, "BizStep")(value)}`],
  ["disposition", (name, value) => `${name}=${word(DISPOSITION, "Disp")(value)}`],
  ["persistentDisposition", persistent],
  ["readPoint", place],
  ["bizLocation", place],
  ["bizTransactionList", typed("bizTransaction", TRANSACTION, "BTT")],
  ["sourceList", typed("source", PARTY, "SDT")],
  ["destinationList", typed("destination", PARTY, "SDT")],
];
const IGNORED = new Set(["@context", "type", "eventTime", "eventID", "errorDeclaration", "certificationInfo", "ilmd"]);
const KNOWN = new Set([...IGNORED, ...FIELDS.map(([name]) => name)]);

// -- master data and extensions ---------------------------------------------------------------------

function prefixesOf(context) {
  const prefixes = new Map([["cbvmda", MASTER_DATA]]);
  for (const part of Array.isArray(context) ? context : [context]) {
    if (typeof part === "string") continue;
    if (!isObject(part)) throw unusual("such a context");
    for (const [name, value] of Object.entries(part)) {
      const isPlain = typeof value === "string" && !value.startsWith("@") && !/gs1\.org/.test(value);
      if (name.startsWith("@") || !isPlain || /^(?:urn|https?|gs1|cbv|epcis)$/.test(name)) throw unusual("such a context");
      prefixes.set(name, value);
    }
  }
  return prefixes;
}

function elementName(key, prefixes) {
  const colon = key.indexOf(":");
  const namespace = prefixes.get(key.slice(0, colon));
  if (colon < 0 || namespace === undefined || key.endsWith("List")) throw unusual("such an extension");
  return `{${namespace}}${key.slice(colon + 1)}`;
}

function element(name, value, prefixes) {
  if (isObject(value)) return name + elements(value, prefixes).sort().join("");
  const text = free(value, prefixes);
  return text ? `${name}=${text}` : name;
}

const elements = (fields, prefixes) =>
  Object.entries(fields).flatMap(([key, value]) => {
    const name = elementName(key, prefixes);
    return (Array.isArray(value) ? value : [value]).map((each) => element(name, each, prefixes));
  });

/** Return the pre-hash string of an ordinary event. @throws event_hash_not_computed. */
export function preHash(event) {
  const prefixes = prefixesOf(event["@context"]);
  const type = event.type.includes(":") ? elementName(event.type, prefixes) : event.type;
  let text = `eventType=${type}eventTime=${time(event.eventTime)}`;
  for (const [name, write] of FIELDS) if (has(event, name)) text += write(name, event[name]);
  if (has(event, "ilmd")) text += "ilmd" + elements(only(event.ilmd, Object.keys(event.ilmd ?? {})), prefixes).sort().join("");
  const rest = Object.keys(event).filter((name) => !KNOWN.has(name));
  text += rest.flatMap((name) => elements({ [name]: event[name] }, prefixes)).sort().join("");
  // where characters beyond the first plane are sorted, their order is another here
  if (/[\ud800-\udfff]/.test(text)) throw unusual("characters beyond the first plane");
  return text;
}

/** Return the 32 octets of an ordinary event's hash. @throws event_hash_not_computed. */
export const eventHash = (event) => sha256(utf8(preHash(event)));
