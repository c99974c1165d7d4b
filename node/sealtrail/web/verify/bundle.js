/**
 * The verifier of an evidence bundle: its lines and a trust file in, fourteen steps out. It needs no network.
 *
 * Source: protocol section 20. Not checked here, and said so: hash and schema of events that are not ordinary; verdicts
 * and findings (step 14).
 */

import { compare, concat, equal, to0x, toHex, utf8 } from "./bytes.js";
import { ChainPart } from "./chain_part.js";
import { checkCompleteness } from "./completeness.js";
import { Cosigners } from "./cosigners.js";
import { verifyEd25519 } from "./ed25519.js";
import { domainSeparator } from "./entry.js";
import { wrong } from "./errors.js";
import { badLine, readLines } from "./form.js";
import { canonical } from "./gs1.js";
import { Held } from "./held.js";
import { MembersPart } from "./members_part.js";
import { asNetwork, sameNetwork } from "./network.js";
import { findKey, isValidAt, PURPOSE } from "./record.js";
import { exitCodeOf, Notebook } from "./report.js";
import { Section } from "./section.js";

const SECTIONS_MAX = 10_000;
const SIGNED_PREFIX = utf8("sealtrail/evidence/1\n");

class Reading {
  constructor(trust, { item = null, minBlock = null }) {
    this.notebook = new Notebook();
    this.trust = trust;
    this.item = item;
    this.minBlock = minBlock;
    this.held = new Held();
    this.sections = [];
    this.open = null;
    this.order = null;
    this.chainClosed = false;
  }

  async take({ number, line, digestBefore }) {
    switch (line.type) {
      case "header":
        return this.begin(line);
      case "block":
        return this.chain.add(line, number);
      case "member":
        this.closeChain();
        return this.members.add(line, number);
      case "log":
        return this.openSection(line, number);
      case "entry":
        this.open.addEntry(line, number);
        this.noteAsked(line);
        return undefined;
      case "checkpoint":
        return this.open.addCheckpoint(line, number);
      case "item_proof":
        return this.open.addItemProof(line, number);
      case "answer":
        await this.closeSection(number);
        this.answer = line;
        return undefined;
      default:
        return this.sign(line, number, digestBefore);
    }
  }

  begin(line) {
    this.header = line;
    this.network = asNetwork(line.network);
    if (!sameNetwork(line.network, this.trust.network)) {
      this.notebook.fails("network", "another_network", "made for another network than the trust file's");
    }
    if (this.item !== null && (line.question.kind !== "item" || line.question.item !== this.item)) {
      this.notebook.fails("question", "another_item", `it is not about ${this.item}`);
    }
    this.checkQuestion(line.question);
    this.chain = new ChainPart(this.notebook, this.trust, line.proof_block);
    this.members = new MembersPart(this.notebook, this.chain, this.network, line.proof_block);
    this.cosigners = new Cosigners(this.notebook, this.trust, this.members, this.network);
    this.asked = line.question.kind === "log" ? line.question.first : null; // the next leaf of those asked for, and not shown
  }

  checkQuestion({ kind, item, first, until }) {
    if (kind === "item" && canonical(item) !== item) {
      this.notebook.fails("question", "item_not_canonical", `it is about ${item}; the item is ${canonical(item)}`);
    }
    if (kind === "log" && first >= until) this.notebook.fails("question", "no_leaves_asked", "it is about no leaf of the log");
  }

  noteAsked({ index }) {
    const { kind, member, until } = this.header.question;
    if (kind !== "log" || !equal(this.open.member, member)) return;
    if (index === this.next && index < until) this.next++;
    this.asked = Math.max(this.asked, this.next); // in one section, or they may be of two trees
  }

  closeChain() {
    if (!this.chainClosed) this.chain.close(this.minBlock);
    this.chainClosed = true;
  }

  async openSection(line, number) {
    await this.closeSection(number);
    if (this.sections.length === SECTIONS_MAX) throw badLine(number, "", "more sections than a bundle may have");
    this.next = this.header.question.first ?? null;
    this.open = new Section(line, number, {
      notebook: this.notebook,
      trust: this.trust,
      network: this.network,
      separator: domainSeparator(this.network),
      chain: this.chain,
      members: this.members,
      cosigners: this.cosigners,
      keep: this.header.question.kind !== "log",
      after: this.sections.at(-1) ?? null,
      held: this.held,
    });
  }

  async closeSection(number) {
    const section = this.open;
    if (section === null) return;
    await section.close(number);
    this.open = null;
    const last = this.sections.at(-1);
    if (last) {
      const byMember = compare(last.member, section.member);
      const ordered = byMember < 0 || (byMember === 0 && last.note.size < section.note.size);
      const alone = byMember !== 0 || !(last.covered || section.covered);
      if (!ordered || !alone) throw badLine(number, "", "sections are not in order, or a covered one is not alone");
    }
    this.compareLeaves(section);
    this.sections.push(section);
  }

  /** Note it where two sections of one log show different entries as one leaf: both trees can't be of that log. */
  compareLeaves(section) {
    const last = this.sections.at(-1);
    if (!last || !equal(last.member, section.member)) this.leaves = new Map();
    for (const { index, leaf } of section.entries) {
      if (!this.leaves.has(index)) this.leaves.set(index, leaf);
      else if (!equal(this.leaves.get(index), leaf)) {
        const reason = "another section shows another entry there, under a checkpoint of the same log";
        this.notebook.fails("logs", "log_contradicts_itself", reason, `leaf ${index}, ${section.place}`);
      }
    }
  }

  async sign(line, number, digest) {
    if (!equal(line.digest, digest)) throw badLine(number, "/digest", "the file is not the one that was signed");
    this.digest = digest;
    try {
      await verifyEd25519(line.public_key, concat(SIGNED_PREFIX, digest), line.value);
      const key = findKey(this.members.latest(this.header.issuer), PURPOSE.peer, line.public_key);
      if (key === null || !isValidAt(key, this.header.proof_block)) {
        throw wrong("issuer_key_unknown", `${to0x(line.public_key)} is no peer key of the issuer at the proof block`);
      }
      if (key.compromisedSince) throw wrong("issuer_key_compromised", "the key was reported compromised");
    } catch (error) {
      this.notebook.error("issuer", error);
    }
  }

  checkAnswer() {
    const { question } = this.header;
    const { verdicts, findings } = this.answer;
    const reason = "this program does not judge: verdicts and findings stand as the issuer says";
    this.notebook.unknown("verdicts", "verdicts_not_judged", reason);
    if ((question.kind === "item") !== (verdicts !== null)) {
      this.notebook.fails("verdicts", "verdicts_differ", "there are verdicts on an item, and only on one");
    }
    if (question.kind !== "item" && findings.length) {
      this.notebook.fails("verdicts", "findings_differ", "there are findings on an item only");
    }
    if (question.kind === "query") {
      const open = "this program does not read queries: whether the events that are shown match is not known";
      this.notebook.unknown("question", "query_not_checked", open);
    }
  }

  report() {
    checkCompleteness(this);
    this.checkAnswer();
    const steps = this.notebook.result();
    const { header, answer, chain, trust } = this;
    const operator = (each) => trust.operators.get("0x" + each) || "0x" + each;
    return {
      digest: toHex(this.digest),
      exit_code: exitCodeOf(steps),
      question: header.question.kind === "log" ? { ...header.question, member: to0x(header.question.member) } : header.question,
      issuer: this.members.name(header.issuer),
      made_by: `${header.program.name} ${header.program.version}`,
      proof_block: header.proof_block,
      sealed_by: (chain.finality?.sealers ?? []).map(operator),
      needed: chain.finality?.needed ?? 0,
      validators: chain.finality?.of ?? 0,
      completeness: answer.completeness.grade,
      verdicts: answer.verdicts,
      logs: this.sections.map((each) => ({
        member: to0x(each.member),
        name: this.members.name(each.member),
        covered: each.covered,
        size: String(each.note.size),
        sequence: each.anchor === null ? null : String(each.anchor.sequence),
        anchored: each.anchor?.time ?? null,
      })),
      steps,
    };
  }
}

/**
 * Verify a bundle.
 *
 * @param lines its lines, each with its newline: an iterable or asynchronous iterable of octets (`splitLines`).
 * @param trust what `parseTrust` gave.
 * @param options `item`: the canonical identifier that was asked for; `minBlock`: how new its proof block has to be.
 * @returns the report: `{ steps, exit_code, digest, … }`.
 * @throws an input error: the bundle is malformed (exit code 2).
 */
export async function verifyBundle(lines, trust, options = {}) {
  const reading = new Reading(trust, options);
  for await (const sealed of readLines(lines)) await reading.take(sealed);
  return reading.report();
}
