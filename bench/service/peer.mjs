// node bench/service/peer.mjs NAME: a peer behind node:http. POST {script, input}, a fresh world for each request, JSON out.
import { createServer } from 'node:http';
import { peers } from '../peers/peers.mjs';

const { run } = await peers.find((peer) => peer.name === process.argv[2]).open();
const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part)).on('end', () => {
    let status = 200, body;
    try {
      const { script, input } = JSON.parse(Buffer.concat(parts).toString('utf8'));
      body = `{"status":"completed","output":${run(script, JSON.stringify(input), 1)}}`;
    } catch (error) {
      status = 500;
      body = JSON.stringify({ error: String(error) });
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
});
server.listen(0, '127.0.0.1', () => console.log(`listening ${server.address().port}`));
