// Runs cast and forge as somebody does in a shell, in a folder and with a home of its own.
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from './checkout.mjs';
import { devnet } from './devnet.mjs';

/** A project of forge's in a temporary folder: a copy of `foundry/`. */
export class Project {
  static async create() {
    const dir = await mkdtemp(path.join(tmpdir(), 'openledger-foundry-'));
    await cp(path.join(root, 'tests/wallets/foundry'), dir, { recursive: true });
    return new Project(dir);
  }

  constructor(dir) {
    this.dir = dir;
    // What the person who runs the tests has set for these programs must not matter.
    const own = Object.entries(process.env).filter(([name]) => !/^(FOUNDRY|DAPP|ETH|CAST|FORGE)_/.test(name));
    this.env = {
      ...Object.fromEntries(own),
      HOME: dir,
      ETH_RPC_URL: devnet.l2.rpc,
      FOUNDRY_SOLC: path.join(root, 'contracts/solc'),
      NO_COLOR: '1',
    };
  }

  /** Runs a program and resolves to what it prints; a status that is not zero is an error with its last words. */
  run(program, args, options = {}) {
    return new Promise((resolve, reject) => {
      const child = spawn(program, args.map(String), { cwd: this.dir, env: this.env, stdio: ['ignore', 'pipe', 'pipe'], ...options });
      const [out, err] = [child.stdout, child.stderr].map((stream) => {
        const chunks = [];
        stream.on('data', (chunk) => chunks.push(chunk));
        return () => Buffer.concat(chunks).toString().trim();
      });
      child.on('error', () => reject(new Error(`${program} could not be started: run \`make setup\``)));
      child.on('close', (code) => {
        if (code === 0) resolve(out());
        else reject(new Error(`${program} ${args.join(' ')}: status ${code}\n${out()}\n${err()}`));
      });
    });
  }

  cast(...args) {
    return this.run('cast', args);
  }

  async json(...args) {
    return JSON.parse(await this.cast(...args, '--json'));
  }

  forge(...args) {
    return this.run('forge', args);
  }

  async read(file) {
    return JSON.parse(await readFile(path.join(this.dir, file), 'utf8'));
  }

  async remove() {
    await rm(this.dir, { recursive: true, force: true });
  }
}
