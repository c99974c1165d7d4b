/**
 * Whether an event is surely one by GS1's JSON schema: a yes is one; without a yes nothing is said.
 *
 * Source: EPCIS 2.0 JSON schema, the part of it that ordinary events use.
 */

import { LISTS as EVENT_LISTS } from "./event.js";
import { has, isObject } from "./json.js";

const CHARACTERS = "(?:[A-Za-z0-9\\-._~:/?@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*";
const URI = new RegExp(`^[A-Za-z][A-Za-z0-9+.\\-]*:${CHARACTERS}(?:#${CHARACTERS})?$`);
const OFFSET = /^[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00)$/;
const TIME = /^([0-9]{4})-(0[1-9]|1[0-2])-([0-9]{2})T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,3})?(Z|[+-].*)$/;
const LOCAL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

const isUri = (value) => typeof value === "string" && value.length <= 2048 && URI.test(value);

function isTime(value) {
  const match = typeof value === "string" ? TIME.exec(value) : null;
  if (match === null || !(match[4] === "Z" || OFFSET.test(match[4]))) return false;
  const [year, month, day] = match.slice(1, 4).map(Number);
  return year >= 1970 && year < 9999 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

const isDistinct = (list) => new Set(list.map((each) => JSON.stringify(each))).size === list.length;
const listOf = (isOne) => (value) =>
  Array.isArray(value) && value.length > 0 && value.every(isOne) && isDistinct(value);
const object = (required, members) => (value) =>
  isObject(value) &&
  required.every((name) => has(value, name)) &&
  Object.entries(value).every(([name, each]) => has(members, name) && members[name](each));
const isWord = (value) => typeof value === "string" && /^[a-z_]+$/.test(value); // the event hash knows which

const isQuantity = object(["epcClass"], {
  epcClass: isUri,
  quantity: (value) => typeof value === "number" && value > 0,
  uom: (value) => typeof value === "string" && /^[A-Z0-9]{2,3}$/.test(value),
});
const isPlace = object(["id"], { id: isUri });
const typed = (name, required) => listOf(object([name, ...required], { [name]: isUri, type: isWord }));
const isNested = (value) =>
  typeof value === "string" || (isObject(value) && Object.entries(value).every(([name, each]) => isExtension(name, each)));
const isExtension = (name, value) =>
  /^[A-Za-z][A-Za-z0-9_-]*:/.test(name) &&
  LOCAL_NAME.test(name.slice(name.indexOf(":") + 1)) &&
  (Array.isArray(value) ? value.length > 0 && value.every(isNested) : isNested(value));
const isMasterData = (value) =>
  isObject(value) && Object.entries(value).every(([name, each]) => isExtension(name, each));

const isAction = (value) => ["ADD", "OBSERVE", "DELETE"].includes(value);
const isContextPart = (part) => isUri(part) || (isObject(part) && Object.values(part).every(isUri));

const COMMON = {
  "@context": (value) => isUri(value) || (Array.isArray(value) && value.length > 0 && value.every(isContextPart)),
  type: () => true,
  eventTime: isTime,
  eventTimeZoneOffset: (value) => typeof value === "string" && OFFSET.test(value),
  eventID: isUri,
  errorDeclaration: object(["declarationTime"], {
    declarationTime: isTime,
    reason: (value) => value === "did_not_occur" || value === "incorrect_data",
  }),
  bizStep: isWord,
  disposition: isWord,
  persistentDisposition: (value) =>
    isObject(value) && Object.keys(value).length > 0 &&
    object([], { set: listOf(isWord), unset: listOf(isWord) })(value),
  readPoint: isPlace,
  bizLocation: isPlace,
  bizTransactionList: typed("bizTransaction", []),
  sourceList: typed("source", ["type"]),
  destinationList: typed("destination", ["type"]),
};
const LISTS = { uris: listOf(isUri), quantities: listOf(isQuantity) };
const OF_TYPE = {
  ObjectEvent: { action: isAction, epcList: LISTS.uris, quantityList: LISTS.quantities, ilmd: isMasterData },
  AggregationEvent: { action: isAction, parentID: isUri, childEPCs: LISTS.uris, childQuantityList: LISTS.quantities },
  AssociationEvent: { action: isAction, parentID: isUri, childEPCs: LISTS.uris, childQuantityList: LISTS.quantities },
  TransactionEvent: { action: isAction, parentID: isUri, epcList: LISTS.uris, quantityList: LISTS.quantities },
  TransformationEvent: {
    transformationID: isUri, inputEPCList: LISTS.uris, inputQuantityList: LISTS.quantities,
    outputEPCList: LISTS.uris, outputQuantityList: LISTS.quantities, ilmd: isMasterData,
  },
};
// Each group has at least one member there.
const NEEDED = {
  ObjectEvent: [["action"], ["epcList", "quantityList"]],
  AggregationEvent: [["action"], ["parentID"], ["childEPCs", "childQuantityList"]],
  AssociationEvent: [["action"], ["parentID"], ["childEPCs", "childQuantityList"]],
  TransactionEvent: [["action"], ["bizTransactionList"], ["epcList", "quantityList"]],
  TransformationEvent: [["inputEPCList", "inputQuantityList"], ["outputEPCList", "outputQuantityList"]],
};

// What an event shown in part may have where it is not shown.
const APART = new Set(["bizTransactionList", ...EVENT_LISTS]);

/** Tell whether an event is surely one, or `whole` false, what is shown of one; false says nothing. */
export function isSurelyValid(event, whole = true) {
  if (!has(OF_TYPE, event.type)) return false; // somebody's own
  const members = { ...COMMON, ...OF_TYPE[event.type] };
  const all = [["eventTime"], ["eventTimeZoneOffset"], ...NEEDED[event.type]];
  const needed = whole ? all : all.filter((group) => !group.some((name) => APART.has(name)));
  return (
    needed.every((group) => group.some((name) => has(event, name))) &&
    Object.entries(event).every(([name, value]) =>
      has(members, name) ? members[name](value) : isExtension(name, value))
  );
}
