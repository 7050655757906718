// A folder, served to a browser on this machine.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml' };

/** Serves the files of `folder`, and `made` (by name, as JSON) beside them; `close` ends it. */
export async function serve(folder, made = {}) {
  const server = createServer(async (request, response) => {
    const name = path.posix.normalize(new URL(request.url, 'http://localhost').pathname).slice(1) || 'index.html';
    try {
      const body = name in made ? JSON.stringify(made[name]) : await readFile(path.join(folder, name));
      response.writeHead(200, { 'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, close };
}
