/**
 * What the members of an object must be: names, types, and which are left out rather than spelt out empty.
 *
 * A type takes a JSON value and a pointer and returns the value to work with: hex and base64 become octets.
 */

import { fromBase64, fromHex } from "./bytes.js";
import { malformed, translating } from "./errors.js";
import { has, isObject } from "./json.js";

const CODE = "shape";
const fail = (pointer, what) => malformed(CODE, what, pointer);

/** Return what `act` does, its refusals under another code. */
export const shaped = (act, refuse) =>
  translating(act, (error) => (error.code === CODE ? refuse(error.pointer, error.message) : error));

export const hex = (length) => (value, pointer) => {
  if (typeof value !== "string" || value.length !== 2 + 2 * length || !/^0x[0-9a-f]*$/.test(value)) {
    throw fail(pointer, `not 0x and ${2 * length} lower-case hex digits`);
  }
  return fromHex(value);
};

export const base64 = (value, pointer) => {
  if (typeof value !== "string") throw fail(pointer, "not base64");
  return translating(() => fromBase64(value), () => fail(pointer, "not base64 in its one spelling"));
};

/** A whole number from `least` to `most`. */
export const count =
  (least = 0, most = Number.MAX_SAFE_INTEGER) =>
  (value, pointer) => {
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
      throw fail(pointer, `not a whole number from ${least} to ${most}`);
    }
    return value;
  };

/** Text of so many characters, in a form if one is given. */
export const text =
  (most, { least = 0, form = null } = {}) =>
  (value, pointer) => {
    const tooLong = typeof value !== "string" || (value.length > most && [...value.slice(0, 2 * most + 2)].length > most);
    if (tooLong || value.length < least || (form !== null && !form.test(value))) {
      throw fail(pointer, "not a text of the form and length that it may have");
    }
    return value;
  };

export const oneOf =
  (...words) =>
  (value, pointer) => {
    if (!words.includes(value)) throw fail(pointer, `none of ${words.join(", ")}`);
    return value;
  };

export const flag = (value, pointer) => {
  if (typeof value !== "boolean") throw fail(pointer, "neither true nor false");
  return value;
};

export const listOf = (type) => (value, pointer) => {
  if (!Array.isArray(value)) throw fail(pointer, "no list");
  return value.map((each, n) => type(each, `${pointer}/${n}`));
};

/** An object used as a table: names of one form, values of one type. */
export const tableOf = (form, type) => (value, pointer) => {
  if (!isObject(value)) throw fail(pointer, "no object");
  return new Map(
    Object.entries(value).map(([name, each]) => {
      if (!form.test(name)) throw fail(pointer, "a name of another form");
      return [name, type(each, `${pointer}/${name}`)];
    }),
  );
};

/** A member that is left out if it is `unless`; `spelt`: one may spell that out nevertheless. */
export const optional = (type, unless, { spelt = false } = {}) => ({ type, unless, spelt });

const isEmpty = (value) =>
  value === false || value === 0 || value === "" || (typeof value === "object" && value !== null && !Object.keys(value).length);

/** An object with these members and no others. */
export const object = (members) => (value, pointer) => {
  if (!isObject(value)) throw fail(pointer, "no object");
  for (const name of Object.keys(value)) {
    if (!has(members, name)) throw fail(pointer, `an unknown member ${JSON.stringify(name).slice(0, 64)}`);
  }
  const result = {};
  for (const [name, member] of Object.entries(members)) {
    const place = `${pointer}/${name}`;
    if (has(value, name)) {
      if (member.spelt === false && isEmpty(value[name]) && member.unless !== null) {
        throw fail(place, "spelt out, and yet as if it were left out");
      }
      result[name] = (member.type ?? member)(value[name], place);
    } else if (member.type) {
      result[name] = typeof member.unless === "function" ? member.unless() : member.unless;
    } else {
      throw fail(pointer, `no member ${name}`);
    }
  }
  return result;
};
