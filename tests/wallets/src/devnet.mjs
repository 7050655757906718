// What the tests know about the network: addresses, accounts, compiled contracts, and clients.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createPublicClient, createWalletClient, defineChain, http } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { chainConfig } from 'viem/op-stack';
import { root } from './checkout.mjs';

const file = process.env.OPENLEDGER_DEVNET_JSON ?? path.join(root, '.devnet/devnet.json');

/** The contents of `devnet.json`. */
export const devnet = JSON.parse(readFileSync(file, 'utf8'));

const withKey = (privateKey) => ({ ...privateKeyToAccount(privateKey), privateKey });

/** A development account, as viem signs with it; `privateKey` comes along for others. */
export const account = (name) => withKey(devnet.accounts.find((entry) => entry.name === name).privateKey);

/** An account of which nobody has heard. */
export const nobody = () => withKey(generatePrivateKey());

/** A compiled contract: `abi`, `bytecode`. */
export function artifact(name, source = name) {
  const json = JSON.parse(readFileSync(path.join(root, `contracts/out/${source}.sol/${name}.json`), 'utf8'));
  return { abi: json.abi, bytecode: json.bytecode.object };
}

/** The address of a contract by its name in `devnet.json`. */
export function contract(name) {
  const address = devnet.contracts[name];
  if (!address) throw new Error(`devnet.json names no contract ${name}: ${Object.keys(devnet.contracts)}`);
  return address;
}

export const l1 = defineChain({
  id: devnet.l1.chainId,
  name: 'OpenLedger devnet L1',
  nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
  rpcUrls: { default: { http: [devnet.l1.rpc], webSocket: [devnet.l1.ws] } },
});

export const l2 = defineChain({
  ...chainConfig,
  id: devnet.l2.chainId,
  sourceId: l1.id,
  name: 'OpenLedger devnet',
  nativeCurrency: { name: 'OPEN', symbol: 'OPEN', decimals: 18 },
  rpcUrls: { default: { http: [devnet.l2.rpc], webSocket: [devnet.l2.ws] } },
  contracts: {
    ...chainConfig.contracts,
    multicall3: { address: contract('Multicall3') },
    portal: { [l1.id]: { address: contract('OptimismPortal') } },
  },
});

export const l1Public = createPublicClient({ chain: l1, transport: http(), pollingInterval: 200 });
export const l2Public = createPublicClient({ chain: l2, transport: http(), pollingInterval: 200 });
export const walletOn = (chain, name) => createWalletClient({ account: account(name), chain, transport: http() });

/** Asks until there is an answer that is not false. */
export async function until(what, ask, seconds = 30) {
  for (const deadline = Date.now() + seconds * 1000; ; ) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
