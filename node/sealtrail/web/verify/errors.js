/**
 * One error with a code, by whose fault it is.
 *
 * `kind` is "input" (what was given is malformed), "verification" (it was read, and does not hold) or "unavailable"
 * (something that is needed was not given). A verifier throws or returns a value; no boolean says that something holds.
 */

export class SealtrailError extends Error {
  constructor(kind, code, message, pointer = null) {
    super(message);
    this.name = "SealtrailError";
    this.kind = kind;
    this.code = code;
    this.pointer = pointer;
  }
}

export const malformed = (code, message, pointer = null) =>
  new SealtrailError("input", code, message, pointer);

export const wrong = (code, message, pointer = null) =>
  new SealtrailError("verification", code, message, pointer);

export const unavailable = (code, message, pointer = null) =>
  new SealtrailError("unavailable", code, message, pointer);

/** Return what `act` does; an error of ours passes through `translate`, any other is a fault of this program. */
export function translating(act, translate) {
  try {
    return act();
  } catch (error) {
    if (error instanceof SealtrailError) throw translate(error);
    throw error;
  }
}
