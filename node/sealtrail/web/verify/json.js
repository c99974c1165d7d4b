/**
 * Strict JSON: no repeated names, no lone surrogates, bounded depth and number of values; and its one byte form (JCS).
 *
 * The platform's own parser takes the last of repeated names, and nests as deep as it is told.
 * Source: RFC 8259; RFC 8785.
 */

import { fromUtf8, utf8 } from "./bytes.js";
import { malformed } from "./errors.js";

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const HEX4 = /^[0-9a-fA-F]{4}$/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const CONTROL = /[\u0000-\u001f]/;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

export const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Tell whether an object has a member of its own by that name. */
export const has = (object, name) => Object.prototype.hasOwnProperty.call(object, name);

class Reader {
  constructor(text, code, depthMax, valuesMax) {
    this.text = text;
    this.at = 0;
    this.code = code;
    this.depthMax = depthMax;
    this.valuesLeft = valuesMax;
  }

  fail(what) {
    return malformed(this.code, `not strict JSON: ${what} at character ${this.at}`);
  }

  blank() {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at++;
  }

  value(depth) {
    if (--this.valuesLeft < 0) throw this.fail("too many values");
    this.blank();
    switch (this.text[this.at]) {
      case "{":
        return this.object(depth + 1);
      case "[":
        return this.array(depth + 1);
      case '"':
        return this.string();
      case "t":
        return this.word("true", true);
      case "f":
        return this.word("false", false);
      case "n":
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  word(word, value) {
    if (!this.text.startsWith(word, this.at)) throw this.fail("no value");
    this.at += word.length;
    return value;
  }

  number() {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) throw this.fail("no value");
    const number = Number(match[0]);
    if (!Number.isFinite(number)) throw this.fail("a number out of range");
    this.at += match[0].length;
    return number;
  }

  string() {
    const parts = [];
    let from = ++this.at;
    for (;;) {
      const sign = this.text[this.at];
      if (sign === undefined) throw this.fail("a string without an end");
      if (sign === '"' || sign === "\\") {
        parts.push(this.text.slice(from, this.at));
        this.at++;
        if (sign === '"') break;
        parts.push(this.escape());
        from = this.at;
      } else {
        this.at = this.nextMark();
      }
    }
    const plain = parts.filter((_, n) => n % 2 === 0);
    if (plain.some((part) => CONTROL.test(part))) throw this.fail("a control character");
    const text = parts.join("");
    if (LONE_SURROGATE.test(text)) throw this.fail("a lone surrogate");
    return text;
  }

  /** Return the place of the next quote or backslash. */
  nextMark() {
    const quote = this.text.indexOf('"', this.at);
    if (quote < 0) return this.text.length;
    const slash = this.text.slice(this.at, quote).indexOf("\\");
    return slash < 0 ? quote : this.at + slash;
  }

  escape() {
    const sign = this.text[this.at++];
    if (sign === "u") {
      const digits = this.text.slice(this.at, this.at + 4);
      if (!HEX4.test(digits)) throw this.fail("a malformed escape");
      this.at += 4;
      return String.fromCharCode(parseInt(digits, 16));
    }
    if (sign === undefined || !has(ESCAPES, sign)) throw this.fail("a malformed escape");
    return ESCAPES[sign];
  }

  enter(depth) {
    if (depth > this.depthMax) throw this.fail(`more than ${this.depthMax} levels`);
    this.at++;
    this.blank();
  }

  /** Step over a comma, or over the end; tell whether there is more. */
  more(end) {
    this.blank();
    const sign = this.text[this.at++];
    if (sign === end) return false;
    if (sign !== ",") throw this.fail(`neither a comma nor ${end}`);
    this.blank();
    return true;
  }

  array(depth) {
    this.enter(depth);
    const list = [];
    if (this.text[this.at] === "]") {
      this.at++;
      return list;
    }
    do list.push(this.value(depth));
    while (this.more("]"));
    return list;
  }

  object(depth) {
    this.enter(depth);
    const object = Object.create(null);
    if (this.text[this.at] === "}") {
      this.at++;
      return object;
    }
    do {
      if (this.text[this.at] !== '"') throw this.fail("no name");
      const name = this.string();
      if (has(object, name)) throw this.fail(`the name ${JSON.stringify(name).slice(0, 64)} twice`);
      this.blank();
      if (this.text[this.at++] !== ":") throw this.fail("no colon");
      object[name] = this.value(depth);
    } while (this.more("}"));
    return object;
  }
}

/**
 * Return the value of JSON octets. Objects have no prototype, so no name is special.
 *
 * @throws `code`: not JSON, or over a limit.
 */
export function parseJson(bytes, code, { depthMax = 64, valuesMax = Infinity } = {}) {
  let text;
  try {
    text = fromUtf8(bytes);
  } catch {
    throw malformed(code, "not UTF-8");
  }
  const reader = new Reader(text, code, depthMax, valuesMax);
  const value = reader.value(0);
  reader.blank();
  if (reader.at !== text.length) throw reader.fail("something behind the value");
  return value;
}

function write(value) {
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (isObject(value)) {
    // The order of UTF-16 code units, which is this sort's own.
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${write(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Return the RFC 8785 octets of a value. */
export const encodeJson = (value) => utf8(write(value));
