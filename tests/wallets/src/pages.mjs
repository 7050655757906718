// What pages may ask of the wallet, answered as its extension does: permissions, approvals, networks, transactions and
// signatures by MetaMask's controllers, everything else by the node.
import { createWalletMiddleware } from '@metamask/eth-json-rpc-middleware';
import { JsonRpcEngine, createAsyncMiddleware } from '@metamask/json-rpc-engine';
import { SignTypedDataVersion } from '@metamask/keyring-controller';
import { PermissionController, PermissionType, constructPermission } from '@metamask/permission-controller';
import { providerErrors, rpcErrors } from '@metamask/rpc-errors';

const RETURNED = 'restrictReturnedAccounts';
// What any page may ask, connected or not. Whoever asks for anything else is told that there is no such method.
const UNRESTRICTED = [
  'eth_blockNumber', 'eth_call', 'eth_chainId', 'eth_estimateGas', 'eth_feeHistory', 'eth_gasPrice', 'eth_getBalance',
  'eth_getBlockByHash', 'eth_getBlockByNumber', 'eth_getCode', 'eth_getLogs', 'eth_getStorageAt', 'eth_getTransactionByHash',
  'eth_getTransactionCount', 'eth_getTransactionReceipt', 'eth_maxPriorityFeePerGas', 'eth_requestAccounts', 'eth_sendTransaction',
  'eth_signTypedData_v4', 'net_version', 'personal_ecRecover', 'personal_sign', 'wallet_addEthereumChain', 'wallet_getPermissions',
  'wallet_requestPermissions', 'wallet_revokePermissions', 'wallet_switchEthereumChain', 'web3_clientVersion',
];

/** The pages that the wallet serves. */
export class Pages {
  #wallet;
  #engines = new Map();

  constructor(wallet, messenger) {
    this.#wallet = wallet;
    this.permissions = new PermissionController({
      messenger,
      caveatSpecifications: {
        [RETURNED]: {
          type: RETURNED,
          decorator: (method, { value }) => async (args) => (await method(args)).filter((address) => value.includes(address)),
        },
      },
      permissionSpecifications: {
        eth_accounts: {
          permissionType: PermissionType.RestrictedMethod,
          targetName: 'eth_accounts',
          allowedCaveats: [RETURNED],
          factory: (options) => constructPermission({ ...options, caveats: [{ type: RETURNED, value: [wallet.address] }] }),
          methodImplementation: async () => wallet.keyrings.getAccounts(),
        },
      },
      unrestrictedMethods: UNRESTRICTED,
    });
  }

  /** The accounts that pages of this origin may use. */
  async accounts(origin) {
    return this.permissions.hasPermission(origin, 'eth_accounts') ? this.permissions.executeRestrictedMethod(origin, 'eth_accounts') : [];
  }

  /** Answers a page: `{ result }` or `{ error }`. */
  async answer(origin, { method, params = [] }) {
    if (!this.#engines.has(origin)) this.#engines.set(origin, this.#engine(origin));
    return this.#engines.get(origin).handle({ jsonrpc: '2.0', id: 1, method, params, origin });
  }

  #engine(origin) {
    const engine = new JsonRpcEngine();
    const own = this.#methods(origin);
    engine.push(
      createAsyncMiddleware(async (request, response, next) => {
        if (!Object.hasOwn(own, request.method)) return next();
        response.result = await own[request.method](request.params);
      }),
    );
    engine.push(this.permissions.createPermissionMiddleware({ origin }));
    engine.push(this.#walletMiddleware(origin));
    engine.push(
      createAsyncMiddleware(async ({ method, params }, response) => {
        response.result = await this.#wallet.request(method, params);
      }),
    );
    return engine;
  }

  /** What the extension adds to its controllers for pages. */
  #methods(origin) {
    const wallet = this.#wallet;
    const connect = () => this.permissions.requestPermissions({ origin }, { eth_accounts: {} });
    const granted = () => Object.values(this.permissions.getPermissions(origin) ?? {});
    return {
      eth_accounts: () => this.accounts(origin),
      eth_requestAccounts: async () => {
        if (granted().length === 0) await connect();
        return this.accounts(origin);
      },
      wallet_requestPermissions: async () => {
        await connect();
        return granted();
      },
      wallet_getPermissions: granted,
      wallet_revokePermissions: () => {
        this.permissions.revokeAllPermissions(origin);
        return null;
      },
      wallet_switchEthereumChain: async ([{ chainId }]) => {
        const known = wallet.networks.state.networkConfigurationsByChainId[chainId];
        if (!known) throw providerErrors.custom({ code: 4902, message: `Unrecognized chain ID "${chainId}".` });
        await wallet.ask(origin, 'wallet_switchEthereumChain', { chainId });
        await wallet.networks.setActiveNetwork(known.rpcEndpoints[known.defaultRpcEndpointIndex].networkClientId);
        return null;
      },
      wallet_addEthereumChain: async ([{ chainId, chainName, nativeCurrency, rpcUrls }]) => {
        const { symbol, decimals } = nativeCurrency ?? {};
        if (decimals !== 18) throw rpcErrors.invalidParams('Expected the number 18 for "nativeCurrency.decimals".');
        if (!/^.{1,6}$/.test(symbol)) throw rpcErrors.invalidParams('Expected 1 to 6 characters in "nativeCurrency.symbol".');
        await wallet.ask(origin, 'wallet_addEthereumChain', { chainId, chainName, rpcUrl: rpcUrls[0], ticker: symbol });
        await wallet.addNetwork({ chainId, name: chainName, symbol, url: rpcUrls[0] });
        return null;
      },
    };
  }

  #walletMiddleware(origin) {
    const wallet = this.#wallet;
    return createWalletMiddleware({
      getAccounts: () => this.accounts(origin),
      processTransaction: async (txParams) => {
        const { result } = await wallet.transactions.addTransaction(txParams, { networkClientId: wallet.client, origin });
        return result;
      },
      processPersonalMessage: async ({ from, data }) => {
        await wallet.ask(origin, 'personal_sign', { from, data });
        return wallet.keyrings.signPersonalMessage({ from, data });
      },
      processTypedMessageV4: async ({ from, data }) => {
        await wallet.ask(origin, 'eth_signTypedData_v4', { from, data });
        return wallet.keyrings.signTypedMessage({ from, data }, SignTypedDataVersion.V4);
      },
    });
  }
}
