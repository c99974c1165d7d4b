/**
 * The digest of a stretch of the audit trail, content of an entry of kind 8.
 *
 * Source: protocol section 17.
 */

import { parseDocument } from "./document.js";

/** Read a digest. @throws audit_digest_malformed. */
export const parseAuditDigest = (content) =>
  parseDocument(content, "audit_digest_malformed", "sealtrail/audit-digest/1", {
    counts: ["count", "first"],
    digests: ["head", "root"],
  });
