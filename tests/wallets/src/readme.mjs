// What README.md tells somebody who connects a wallet: read from its section "A wallet", so that the tests do just that.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { numberToHex } from 'viem';
import { root } from './checkout.mjs';
import { devnet } from './devnet.mjs';

const text = readFileSync(path.join(root, 'README.md'), 'utf8');
const section = /^## A wallet\n([^]*?)(?=^## )/m.exec(text)?.[1];
if (!section) throw new Error('README.md has no section "A wallet"');

/** The fields of MetaMask's form, by their names there. */
export const fields = Object.fromEntries(
  [...section.matchAll(/^\| ([A-Z][^|]*?) \| `?([^|`]+?)`? \|$/gm)].map(([, name, value]) => [name, value]),
);

/** Those that say which network it is, as the wallet takes them. The port is the devnet's that the tests run against. */
export const network = {
  chainId: numberToHex(Number(fields['Chain ID'])),
  name: fields['Network name'],
  symbol: fields['Currency symbol'],
  url: devnet.l2.rpc,
};

/** The private key to import. */
export const importedKey = /`(0x[0-9a-f]{64})`/.exec(section)?.[1];

/** The shell commands, for the endpoint of the devnet that the tests run against. */
export const commands = /^```sh\n([^]*?)^```$/m.exec(section)?.[1].replaceAll(fields['Default RPC URL'], devnet.l2.rpc);
