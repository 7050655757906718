// Verifies Merkle-Patricia proofs (EIP-1186) with nothing but keccak256 and RLP.
import { fromRlp, hexToBytes, keccak256, pad, toHex, toRlp } from 'viem';

/** What `proof` says stands at `key` under `root`: the RLP of the value, or null where there is nothing. Throws if it proves nothing. */
function lookup(root, key, proof) {
  const path = keccak256(key).slice(2);
  let expected = root;
  let depth = 0;
  for (const node of proof) {
    // Nodes shorter than a hash stand inside their parent; all others are named by their hash.
    if ((node.length - 2) / 2 >= 32 || depth === 0 ? keccak256(node) !== expected : node !== expected) {
      throw new Error(`the node at depth ${depth} is not the one that its parent names`);
    }
    const items = fromRlp(node);
    if (items.length === 17) {
      expected = child(items[parseInt(path[depth], 16)]);
      depth += 1;
    } else {
      const nibbles = toHex(hexToBytes(items[0])).slice(2);
      const part = nibbles.slice(nibbles[0] % 2 === 1 ? 1 : 2);
      if (!path.startsWith(part, depth)) return null;
      depth += part.length;
      if (parseInt(nibbles[0], 16) >= 2) return items[1];
      expected = child(items[1]);
    }
    if (expected === '0x') return null;
  }
  if (proof.length === 0 && root === keccak256('0x80')) return null;
  throw new Error('the proof ends before it proves anything');
}

const child = (item) => (Array.isArray(item) ? toRlp(item) : item);
const integer = (value) => (BigInt(value) === 0n ? '0x' : toHex(BigInt(value)));

/** Verifies the answer of `eth_getProof` against a state root; what it claims must be what it proves. */
export function verifyProof(stateRoot, proof) {
  const account = lookup(stateRoot, proof.address, proof.accountProof);
  const absent = proof.nonce === 0 && proof.balance === 0n && proof.codeHash === keccak256('0x');
  const claimed = toRlp([integer(proof.nonce), integer(proof.balance), proof.storageHash, proof.codeHash]);
  if (account === null ? !absent : account !== claimed) throw new Error('the account is not what the proof says');
  for (const { key, value, proof: nodes } of proof.storageProof) {
    const slot = lookup(proof.storageHash, pad(toHex(BigInt(key)), { size: 32 }), nodes);
    if (slot === null ? value !== 0n : slot !== toRlp(integer(value))) throw new Error(`slot ${key} is not what the proof says`);
  }
}
