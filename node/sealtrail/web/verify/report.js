/** Collects what is found, step by step, and makes the report of it. */

import { SealtrailError } from "./errors.js";

export const HOLDS = "holds";
export const DOES_NOT_HOLD = "does not hold";
export const COULD_NOT_CHECK = "could not check";

const PROBLEMS_MAX = 50; // that are spelt out for one step; all are counted

export const STEPS = [
  "form", "network", "chain", "members", "issuer", "question", "logs", "anchors", "entries", "times",
  "cosignatures", "item_index", "completeness", "verdicts",
];

export class Notebook {
  constructor() {
    this.steps = new Map(STEPS.map((name) => [name, { problems: [], fails: 0, unknown: 0 }]));
  }

  note(name, outcome, code, reason, place = null) {
    const step = this.steps.get(name);
    const first = outcome === DOES_NOT_HOLD && step.fails === 0;
    if (outcome === DOES_NOT_HOLD) step.fails++;
    else step.unknown++;
    if (step.problems.length < PROBLEMS_MAX || first) step.problems.push({ outcome, code, reason, place });
  }

  fails(name, code, reason, place) {
    this.note(name, DOES_NOT_HOLD, code, reason, place);
  }

  unknown(name, code, reason, place) {
    this.note(name, COULD_NOT_CHECK, code, reason, place);
  }

  /** Note an error of ours: what was not given could not be checked, anything else does not hold. */
  error(name, error, place) {
    if (!(error instanceof SealtrailError)) throw error;
    const outcome = error.kind === "unavailable" ? COULD_NOT_CHECK : DOES_NOT_HOLD;
    this.note(name, outcome, error.code, error.message, place ?? error.pointer);
  }

  failed(name) {
    return this.steps.get(name).fails > 0;
  }

  result() {
    return [...this.steps].map(([name, { problems, fails, unknown }], n) => ({
      number: n + 1,
      name,
      outcome: fails ? DOES_NOT_HOLD : unknown ? COULD_NOT_CHECK : HOLDS,
      count: fails + unknown,
      problems,
    }));
  }
}

/** Return what all steps come to: 0 all hold, 1 one does not, 3 none fails but one could not be checked. */
export function exitCodeOf(steps) {
  const outcomes = new Set(steps.map((step) => step.outcome));
  if (outcomes.has(DOES_NOT_HOLD)) return 1;
  return outcomes.has(COULD_NOT_CHECK) ? 3 : 0;
}
