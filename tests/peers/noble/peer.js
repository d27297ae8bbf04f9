// @noble/curves as a peer: `node peer.js CONTEXT-STRING` reads one JSON request a line and answers in one.
//
// {"do": COMMAND, ...} is answered by {"ok": {...}} or {"error": {"name": ..., "message": ..., "culprits": [...]}}.
// Bytes travel in hex, within the objects that noble uses. What is secret stays here, under a handle, unless "export"
// asks for it.

import { ed25519_FROST, ristretto255_FROST } from '@noble/curves/ed25519.js';
import { ed448_FROST } from '@noble/curves/ed448.js';
import { p256_FROST } from '@noble/curves/nist.js';
import { schnorr_FROST, secp256k1_FROST } from '@noble/curves/secp256k1.js';
import { bytesToHex, hexToBytes } from '@noble/curves/utils.js';
import { createInterface } from 'node:readline';

const SUITES = {
  'FROST-P256-SHA256-v1': p256_FROST,
  'FROST-ED25519-SHA512-v1': ed25519_FROST,
  'FROST-RISTRETTO255-SHA512-v1': ristretto255_FROST,
  'FROST-ED448-SHAKE256-v1': ed448_FROST,
  'FROST-secp256k1-SHA256-v1': secp256k1_FROST,
  'FROST-secp256k1-SHA256-TR-v1': schnorr_FROST,
};

const frost = SUITES[process.argv[2]];
const rounds = []; // the state of key generations, by handle
const keys = [];
const nonces = [];

const keep = (list, item) => list.push(item) - 1;
const mapValues = (object, change) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));

// ── from hex, in the shapes of noble ──

const round1 = (p) => ({ ...p, commitment: p.commitment.map(hexToBytes), proofOfKnowledge: hexToBytes(p.proofOfKnowledge) });
const round2 = (p) => ({ ...p, signingShare: hexToBytes(p.signingShare) });
const secretShare = round2;
const commitments = (c) => ({ ...c, hiding: hexToBytes(c.hiding), binding: hexToBytes(c.binding) });
const publicPackage = (p) => ({
  signers: p.signers,
  commitments: p.commitments.map(hexToBytes),
  verifyingShares: mapValues(p.verifyingShares, hexToBytes),
});

// ── to hex, whatever the shape ──

const toHex = (value) => {
  if (value instanceof Uint8Array) return bytesToHex(value);
  if (Array.isArray(value)) return value.map(toHex);
  if (value !== null && typeof value === 'object') return mapValues(value, toHex);
  return value;
};

const signingArguments = (r) => [r.commitments.map(commitments), hexToBytes(r.message)];

const COMMANDS = {
  identifier: (r) => ({ identifier: r.number ? frost.Identifier.fromNumber(r.number) : frost.Identifier.derive(r.text) }),
  part1: (r) => {
    const made = frost.DKG.round1(r.identifier, r.signers);
    return { handle: keep(rounds, made.secret), package: made.public };
  },
  part2: (r) => ({ packages: frost.DKG.round2(rounds[r.handle], r.round1_packages.map(round1)) }),
  part3: (r) => {
    const key = frost.DKG.round3(rounds[r.handle], r.round1_packages.map(round1), r.round2_packages.map(round2));
    return { handle: keep(keys, key), public: key.public };
  },
  import: (r) => ({ handle: keep(keys, { public: publicPackage(r.public), secret: secretShare(r.secret) }) }),
  export: (r) => ({ secret: keys[r.handle].secret }),
  split: (r) => {
    const dealt = frost.trustedDealer(r.signers, r.identifiers, r.secret && hexToBytes(r.secret));
    return { public: dealt.public, shares: dealt.secretShares };
  },
  reconstruct: (r) => ({ secret: frost.combineSecret(r.shares.map(secretShare), r.signers) }),
  commit: (r) => {
    const made = frost.commit(keys[r.key].secret);
    return { handle: keep(nonces, made.nonces), commitments: made.commitments };
  },
  sign: (r) => {
    const key = keys[r.key];
    return { share: frost.signShare(key.secret, key.public, nonces[r.nonces], ...signingArguments(r)) };
  },
  verify_share: (r) => ({
    valid: frost.verifyShare(publicPackage(r.public), ...signingArguments(r), r.identifier, hexToBytes(r.share)),
  }),
  aggregate: (r) => ({
    signature: frost.aggregate(publicPackage(r.public), ...signingArguments(r), mapValues(r.shares, hexToBytes)),
  }),
  verify: (r) => ({ valid: frost.verify(hexToBytes(r.signature), hexToBytes(r.message), hexToBytes(r.verifying_key)) }),

  // ── One participant's work, in seconds of this process on a core: what it receives is in memory when they start ──

  prepare_key_generation: (r) => {
    const [first, second] = [r.round1_packages.map(round1), r.round2_packages.map(round2)];
    prepared.key_generation = () => {
      const { secret } = frost.DKG.round1(r.identifier, r.signers);
      frost.DKG.round2(secret, first);
      frost.DKG.round3(secret, first, second);
    };
    return {};
  },
  prepare_signing: (r) => {
    const [secret, pub] = [secretShare(r.secret), publicPackage(r.public)];
    const [list, message] = signingArguments(r);
    const [signature, shares] = [hexToBytes(r.signature), mapValues(r.shares, hexToBytes)];
    const own = { hiding: hexToBytes(r.nonces.hiding), binding: hexToBytes(r.nonces.binding) };
    prepared.commit = () => frost.commit(secret);
    prepared.sign = () => frost.signShare(secret, pub, { hiding: own.hiding.slice(), binding: own.binding.slice() }, list, message);
    prepared.aggregate = () => frost.aggregate(pub, list, message, shares);
    prepared.verify = () => frost.verify(signature, message, pub.commitments[0]);
    return {};
  },
  time: (r) => {
    const start = process.cpuUsage();
    const outcome = prepared[r.step]();
    const { user, system } = process.cpuUsage(start);
    if (outcome === false) throw new Error('the signature does not verify');
    return { seconds: (user + system) / 1e6 };
  },
};
const prepared = {};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const request = JSON.parse(line);
    answer = { ok: toHex(COMMANDS[request.do](request)) };
  } catch (error) {
    answer = { error: { name: error.constructor.name, message: error.message, culprits: error.cheaters ?? [] } };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
