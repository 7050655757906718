// A headless Chromium whose pages find the wallet in it, as if the extension were installed.
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { root } from './checkout.mjs';

const screenshots = process.env.OPENLEDGER_SCREENSHOTS;

/** A browser with one wallet in it; `close` ends it. */
export class Browser {
  static async start(wallet) {
    const program = execFileSync(path.join(root, 'scripts/browser.sh'), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
    const browser = await chromium.launch({
      executablePath: program,
      // It runs as root in CI, where there is no sandbox, and opens pages of this machine only.
      chromiumSandbox: false,
      args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    const context = await browser.newContext({ viewport: { width: 900, height: 820 } });
    context.setDefaultTimeout(30_000);
    await context.route((url) => url.hostname !== '127.0.0.1', (route) => route.abort());
    await context.exposeBinding('openledgerWallet', ({ frame }, request) => wallet.pages.answer(new URL(frame.url()).origin, request));
    await context.addInitScript({ path: path.join(root, 'tests/wallets/src/inpage.js') });
    return new Browser(browser, context, wallet);
  }

  constructor(browser, context, wallet) {
    this.browser = browser;
    this.context = context;
    // What pages are told without asking: which chain is selected, and which accounts they may use.
    const tell = (event, of) => async () => {
      for (const page of context.pages()) {
        const data = await of(new URL(page.url()).origin);
        // A page that is being left hears nothing any more.
        await page.evaluate(([event, data]) => window.openledgerNotify(event, data), [event, data]).catch(() => {});
      }
    };
    wallet.root.subscribe('NetworkController:networkDidChange', tell('chainChanged', () => wallet.request('eth_chainId')));
    wallet.root.subscribe('PermissionController:stateChange', tell('accountsChanged', (origin) => wallet.pages.accounts(origin)));
  }

  /** Opens a page; what goes wrong in it fails the test that looks at `errors`. */
  async open(url) {
    const page = await this.context.newPage();
    page.errors = [];
    page.on('pageerror', (error) => page.errors.push(error));
    await page.goto(url);
    return page;
  }

  /** Keeps a picture where OPENLEDGER_SCREENSHOTS says. */
  async picture(page, name) {
    if (!screenshots) return;
    await mkdir(screenshots, { recursive: true });
    await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true });
  }

  async close() {
    await this.browser.close();
  }
}
