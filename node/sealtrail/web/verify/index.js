/** What the verifier offers to a page or a program. */

export { verifyBundle } from "./bundle.js";
export { splitLines } from "./form.js";
export { parseTrust } from "./trust.js";
export { SealtrailError } from "./errors.js";
