/** A network as bundles and trust files name it. */

import { equal } from "./bytes.js";
import { count, hex, object } from "./shape.js";

export const networkShape = object({
  chain_id: count(),
  genesis_hash: hex(32),
  registry: hex(20),
  anchors: hex(20),
});

/** Return a network with the names that entries and their domain take. */
export const asNetwork = (wire) => ({
  chainId: wire.chain_id,
  genesisHash: wire.genesis_hash,
  registry: wire.registry,
  anchors: wire.anchors,
});

export const sameNetwork = (a, b) =>
  a.chain_id === b.chain_id &&
  equal(a.genesis_hash, b.genesis_hash) &&
  equal(a.registry, b.registry) &&
  equal(a.anchors, b.anchors);
