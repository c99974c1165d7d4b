/**
 * Steps 1 to 6 of an entry's verification: what its own octets show.
 *
 * Source: protocol section 10.
 */

import { equal, split, EMPTY } from "./bytes.js";
import { parseAuditDigest } from "./audit_digest.js";
import { entryId, genesisDocument, isEvent, itemsRoot, KIND, KIND_NAMES, parseReferences, referencesRoot, sortedKeys, ZERO_32 } from "./entry.js";
import { SealtrailError, unavailable, wrong } from "./errors.js";
import { eventHash } from "./event_hash.js";
import { EVENT_MEDIA_TYPE, itemsOf, keysOf, parseEvent } from "./event.js";
import { isSurelyValid } from "./event_schema.js";
import { parseIndexDocument } from "./item_index.js";
import { COULD_NOT_CHECK, DOES_NOT_HOLD, HOLDS } from "./report.js";
import { recoverSigner } from "./secp256k1.js";
import { disclosureRoot, partialItemsRoot, partialRoot, readParts } from "./shown.js";
import { EMPTY_ROOT } from "./tree.js";

export const ENTRY_STEPS = ["content", "event_hash", "disclosure_root", "items_root", "references_root", "signature"];

/** Return how a step comes out: `act` returns if it holds and throws if not. */
function outcome(number, act) {
  const step = { number, name: ENTRY_STEPS[number - 1], outcome: HOLDS, code: null, reason: null };
  try {
    step.value = act();
  } catch (error) {
    if (!(error instanceof SealtrailError)) throw error;
    step.outcome = error.kind === "unavailable" ? COULD_NOT_CHECK : DOES_NOT_HOLD;
    step.code = error.code;
    step.reason = error.message;
  }
  return step;
}

/**
 * Do steps 1 to 6.
 *
 * @param shown `{ content, mediaType, seed, partial, references, itemKeys, itemSalt, leafIndex }`; null is withheld.
 * @param entry what `parseLeaf` gave for the leaf. @param network and its domain `separator`.
 * @returns `{ id, steps, event, signer }`: what was not found is null.
 */
export function entrySteps(shown, entry, network, separator) {
  const content = outcome(1, () => readContent(shown, entry, network));
  const event = content.value ?? null;
  if (event !== null) tellOfContent(content, event, shown.partial === null);
  const hash = outcome(2, () => hashOf(shown, entry, event));
  const disclosure = outcome(3, () => checkDisclosure(shown, entry, event, hash));
  const items = outcome(4, () => checkItems(shown, entry, event));
  const references = outcome(5, () => checkReferences(shown, entry));
  const id = entryId(entry, separator);
  const signer = outcome(6, () => recoverSigner(id, entry.signature));
  return {
    id,
    steps: [content, hash, disclosure, items, references, signer],
    event,
    signer: signer.value ?? null,
  };
}

/** Say of a content that was read what of it was not checked. */
function tellOfContent(step, event, whole) {
  const unknown = (code, reason) => Object.assign(step, { outcome: COULD_NOT_CHECK, code, reason });
  if (!isSurelyValid(event, whole) || !(whole || isOrdinary(event))) {
    unknown("schema_not_checked", "this program knows GS1's schema for ordinary events only");
  } else if (!whole) {
    unknown("content_in_parts", IN_PARTS);
  }
}

/** Tell whether all words of an event are known, as its event hash takes for granted; of a whole one step 2 tells. */
function isOrdinary(event) {
  try {
    eventHash(event);
    return true;
  } catch (error) {
    if (error instanceof SealtrailError) return false;
    throw error;
  }
}

const IN_PARTS = "parts of the content were given, not the content";
const withheld = () => unavailable("content_withheld", "no content was given");

/** Step 1. Return the event, or undefined where the content is none. */
function readContent({ content, mediaType, partial, itemSalt, leafIndex }, { kind, member }, network) {
  if (partial !== null) {
    if (!isEvent(kind)) throw wrong("parts_of_no_event", `a ${KIND_NAMES[kind]} entry is about no event`);
    return readParts(partial, mediaType);
  }
  if (content === null) throw withheld();
  if (isEvent(kind)) {
    if (mediaType !== EVENT_MEDIA_TYPE) throw unavailable("media_type_unsupported", `nothing here reads ${mediaType}`);
    return parseEvent(content);
  }
  if (kind === KIND.index) {
    const { covers } = parseIndexDocument(content);
    if (leafIndex !== null && covers !== leafIndex) {
      throw wrong("index_covers_differs", `the index covers ${covers} leaves, and its entry is leaf ${leafIndex}`);
    }
    return undefined;
  }
  if (kind === KIND.audit) {
    parseAuditDigest(content);
    return undefined;
  }
  if (!equal(content, expectedContent(kind, member, itemSalt, network))) {
    throw wrong("content_not_expected", `not the content of a ${KIND_NAMES[kind]} entry`);
  }
  return undefined;
}

function expectedContent(kind, member, itemSalt, network) {
  if (kind === KIND.padding) return EMPTY;
  if (kind !== KIND.genesis) throw unavailable("kind_reserved", `nothing here reads ${KIND_NAMES[kind]} entries`);
  if (itemSalt === null) throw unavailable("item_salt_withheld", "the log's item salt was not given");
  return genesisDocument(network, member, itemSalt);
}

/** Step 2: the hash that step 3 takes. */
function hashOf({ content, partial }, { kind }, event) {
  if (partial !== null) throw unavailable("content_in_parts", IN_PARTS);
  if (content === null) throw withheld();
  if (!isEvent(kind)) return ZERO_32;
  if (event === null) throw unavailable("content_unreadable", "the content is no event");
  return eventHash(event);
}

/** Step 3. */
function checkDisclosure({ content, seed, partial }, entry, event, hash) {
  if (partial !== null) {
    requireDisclosed(partialRoot(partial), entry);
    return;
  }
  if (content === null) throw withheld();
  if (seed === null) throw unavailable("seed_withheld", "no seed was given");
  if (hash.outcome !== HOLDS) throw unavailable(hash.code, "there is no event hash to go with the content");
  requireDisclosed(disclosureRoot(seed, content, hash.value, event).root, entry);
}

function requireDisclosed(root, entry) {
  if (!equal(root, entry.disclosureRoot)) {
    throw wrong("disclosure_root_differs", "what is shown gives another root than was signed");
  }
}

/** Step 4. */
function checkItems(shown, entry, event) {
  if (!equal(rootOfItems(shown, entry, event), entry.itemsRoot)) {
    throw wrong("items_root_differs", "the items give another root than was signed");
  }
}

function rootOfItems({ itemSalt, itemKeys, partial }, entry, event) {
  const given = split(itemKeys, 32);
  const named = event !== null && itemsOf(event).length > 0;
  if (itemSalt !== null && event !== null && (partial === null || named)) {
    const keys = sortedKeys(keysOf(event, itemSalt));
    if (partial === null) return rootOfContent(keys, given);
    const root = partialItemsRoot(partial, keys, given, itemsRoot);
    if (root !== undefined) return root;
  }
  if (given.length) return itemsRoot(given); // shows the keys, not that they are the content's
  if (!equal(entry.itemsRoot, EMPTY_ROOT)) throw unavailable("item_keys_withheld", "neither salt nor keys");
  if (named) throw wrong("items_root_differs", "the event names items, the entry none");
  return EMPTY_ROOT;
}

function rootOfContent(keys, given) {
  const same = keys.length === given.length && keys.every((key, n) => equal(key, given[n]));
  if (given.length && !same) throw wrong("item_keys_differ", "the keys given are not those of the content");
  return itemsRoot(keys);
}

/** Step 5. */
function checkReferences({ references }, entry) {
  const unreadable = (error) => wrong("references_unreadable", error.message);
  let read;
  try {
    read = parseReferences(references);
  } catch (error) {
    throw unreadable(error);
  }
  if (!equal(referencesRoot(read), entry.referencesRoot)) {
    throw wrong("references_root_differs", "the references give another root than was signed");
  }
}
