// A wallet made of MetaMask's own controllers, put together as its extension does, without its user interface.
import { AccountsController } from '@metamask/accounts-controller';
import { ApprovalController } from '@metamask/approval-controller';
import { GasFeeController } from '@metamask/gas-fee-controller';
import { AccountImportStrategy, KeyringController } from '@metamask/keyring-controller';
import { Messenger } from '@metamask/messenger';
import { NetworkController, RpcEndpointType } from '@metamask/network-controller';
import { TransactionController } from '@metamask/transaction-controller';
import { providerErrors } from '@metamask/rpc-errors';
import { devnet, until } from './devnet.mjs';
import './eip7702.mjs';
import { Pages } from './pages.mjs';

// MetaMask also asks servers of its own, for prices and simulations, and works without them. A test leaves them alone.
const fetchAnything = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  const { hostname } = new URL(url instanceof Request ? url.url : url);
  if (!['127.0.0.1', 'localhost', new URL(devnet.l2.rpc).hostname].includes(hostname)) throw new Error(`no way to ${hostname}`);
  return fetchAnything(url, options);
};

/** A wallet with an account's key, unlocked, and no network but MetaMask's own ones. */
export class Wallet {
  static async create(privateKey) {
    const wallet = new Wallet();
    await wallet.keyrings.createNewVaultAndKeychain('a password');
    wallet.address = await wallet.keyrings.importAccountWithStrategy(AccountImportStrategy.privateKey, [privateKey]);
    await wallet.accounts.updateAccounts();
    wallet.accounts.setSelectedAccount(wallet.accounts.getAccountByAddress(wallet.address).id);
    return wallet;
  }

  constructor() {
    this.root = new Messenger({ namespace: 'Wallet' });
    // Two services of MetaMask's that live on its servers: it works without what they say.
    this.#messenger('ErrorReportingService').registerActionHandler('ErrorReportingService:captureException', (error) => {
      throw error;
    });
    this.#messenger('RemoteFeatureFlagController').registerActionHandler('RemoteFeatureFlagController:getState', () => ({
      remoteFeatureFlags: {},
      cacheTimestamp: 0,
    }));

    this.networks = new NetworkController({
      messenger: this.#messenger('NetworkController', ['ErrorReportingService:captureException']),
      infuraProjectId: '0'.repeat(32),
      getRpcServiceOptions: () => ({ fetch: globalThis.fetch, btoa: globalThis.btoa }),
      // As often as there are blocks here; the extension asks every 20 s.
      getBlockTrackerOptions: () => ({ pollingInterval: 500 }),
    });
    this.approvals = new ApprovalController({ messenger: this.#messenger('ApprovalController'), showApprovalRequest() {} });
    this.keyrings = new KeyringController({ messenger: this.#messenger('KeyringController') });
    this.accounts = new AccountsController({
      messenger: this.#messenger(
        'AccountsController',
        ['KeyringController:getState', 'KeyringController:getKeyringsByType'],
        ['KeyringController:stateChange'],
      ),
      state: { internalAccounts: { accounts: {}, selectedAccount: '' } },
    });
    this.pages = new Pages(
      this,
      this.#messenger('PermissionController', [
        'ApprovalController:addRequest', 'ApprovalController:hasRequest', 'ApprovalController:acceptRequest', 'ApprovalController:rejectRequest',
      ]),
    );
  }

  /** Adds a network as the extension does on `wallet_addEthereumChain`, and switches to it. */
  async addNetwork({ chainId, name, symbol, url }) {
    // The extension asks the endpoint which chain it serves, and refuses it if that is another. It asks past its
    // controllers, whose provider answers `eth_chainId` with what it was told.
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] });
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const { result: served } = await answer.json();
    if (served !== chainId) throw new Error(`chain id returned by ${url} is ${served}, not ${chainId}`);
    const added = this.networks.addNetwork({
      chainId,
      name,
      nativeCurrency: symbol,
      blockExplorerUrls: [],
      rpcEndpoints: [{ type: RpcEndpointType.Custom, url, name }],
      defaultRpcEndpointIndex: 0,
    });
    this.client = added.rpcEndpoints[0].networkClientId;
    await this.networks.setActiveNetwork(this.client);
    this.#trackTransactions();
    return added;
  }

  /** A request to the selected network through MetaMask's middleware: caches, block references, retries. */
  request(method, params = []) {
    const { provider } = this.networks.getNetworkClientById(this.networks.state.selectedNetworkClientId);
    return provider.request({ method, params });
  }

  /** Asks the user, as a popup of the extension; it is an error if the user declines. */
  ask(origin, type, requestData) {
    return this.approvals.addAndShowApprovalRequest({ origin, type, requestData });
  }

  /** The popup that is open, or the next one to open: who asks for what, and the user's answer to it. */
  async popup() {
    const [{ id, type, origin, requestData }] = await until('a popup of the wallet', () => {
      const open = Object.values(this.approvals.state.pendingApprovals);
      return open.length > 0 && open;
    });
    const meta = this.#meta(id);
    const value = { transaction: { txMeta: meta }, wallet_requestPermissions: requestData }[type];
    return {
      ...{ id, type, origin, requestData, txParams: meta?.txParams },
      confirm: () => this.approvals.accept(id, value),
      decline: () => this.approvals.reject(id, providerErrors.userRejectedRequest()),
    };
  }

  /** Adds a transaction, approves it, and resolves to its hash. */
  async send(txParams, options = {}) {
    const { result, transactionMeta } = await this.transactions.addTransaction(
      { from: this.address, ...txParams },
      { networkClientId: this.client, origin: 'metamask', ...options },
    );
    await this.approvals.accept(transactionMeta.id, { txMeta: this.#meta(transactionMeta.id) });
    return { id: transactionMeta.id, hash: await result };
  }

  /** Waits until the wallet shows a transaction as final; anything but "confirmed" is an error. */
  async confirmed(id) {
    const meta = await until(`transaction ${id} in the wallet`, () => {
      const found = this.#meta(id);
      return ['confirmed', 'failed', 'dropped', 'rejected'].includes(found?.status) && found;
    });
    if (meta.status !== 'confirmed') throw new Error(`the wallet shows "${meta.status}": ${JSON.stringify(meta.error)}`);
    return meta;
  }

  /** The nonce that the wallet would give to the next transaction. */
  async nextNonce() {
    const lock = await this.transactions.getNonceLock(this.address, this.client);
    lock.releaseLock();
    return lock.nextNonce;
  }

  /** Ends its polling. */
  async stop() {
    this.gasFees?.destroy();
    await this.networks.destroy();
  }

  #trackTransactions() {
    const compatible = () => this.networks.getEIP1559Compatibility(this.client);
    this.gasFees = new GasFeeController({
      messenger: this.#messenger(
        'GasFeeController',
        ['NetworkController:getState', 'NetworkController:getNetworkClientById', 'NetworkController:getEIP1559Compatibility'],
        ['NetworkController:networkDidChange'],
      ),
      // MetaMask's gas service does not know this chain; this is what it falls back to then.
      state: { nonRPCGasFeeApisDisabled: true },
      clientId: 'extension',
      getProvider: () => this.networks.getNetworkClientById(this.client).provider,
      getCurrentNetworkEIP1559Compatibility: compatible,
      getCurrentAccountEIP1559Compatibility: () => true,
      getCurrentNetworkLegacyGasAPICompatibility: () => false,
      EIP1559APIEndpoint: 'https://gas.invalid/networks/<chain_id>/suggestedGasFees',
    });
    this.transactions = new TransactionController({
      messenger: this.#messenger(
        'TransactionController',
        [
          'AccountsController:getSelectedAccount', 'AccountsController:getState', 'ApprovalController:addRequest',
          'KeyringController:signEip7702Authorization', 'NetworkController:findNetworkClientIdByChainId',
          'NetworkController:getNetworkClientById', 'RemoteFeatureFlagController:getState',
        ],
        ['NetworkController:stateChange'],
      ),
      disableHistory: true,
      disableSendFlowHistory: true,
      disableSwaps: true,
      getCurrentNetworkEIP1559Compatibility: compatible,
      getGasFeeEstimates: (options) => this.gasFees.fetchGasFeeEstimates(options),
      getNetworkClientRegistry: () => this.networks.getNetworkClientRegistry(),
      getNetworkState: () => this.networks.state,
      getPermittedAccounts: (origin) => this.pages.accounts(origin),
      isFirstTimeInteractionEnabled: () => false,
      // As in the extension: only then is the gas of an EIP-7702 batch estimated with the delegate's code in place.
      isSimulationEnabled: () => true,
      sign: (transaction, from) => this.keyrings.signTransaction(transaction, from),
      transactionHistoryLimit: 100,
      hooks: {},
    });
  }

  #meta(id) {
    return this.transactions?.state.transactions.find((meta) => meta.id === id);
  }

  #messenger(namespace, actions = [], events = []) {
    const messenger = new Messenger({ namespace, parent: this.root });
    this.root.delegate({ messenger, actions, events });
    return messenger;
  }
}
