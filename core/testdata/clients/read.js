// Reads responses with node:http and says what it read.
//
//	node read.js HOST PORT
//
// Standard input has a line for each response to ask for, "NUMBER METHOD". Standard output gets a JSON
// object for each. Bytes that are not ASCII are given as the characters of ISO 8859-1.
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');

const [host, port] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

// pairs makes [[name, value], ...] of [name, value, ...].
function pairs(raw) {
  const all = [];
  for (let i = 0; i < raw.length; i += 2) all.push([raw[i], raw[i + 1]]);
  return all;
}

function read(number, method) {
  return new Promise((resolve) => {
    const got = { number, informational: [], error: '' };
    const body = [];
    const finish = (error) => {
      const all = Buffer.concat(body);
      got.length = all.length;
      got.sha256 = crypto.createHash('sha256').update(all).digest('hex');
      if (error) got.error = error.code === 'ECONNRESET' ? 'truncated' : `${error.code}: ${error.message}`;
      resolve(got);
    };
    const begin = (response) => {
      got.status = response.statusCode;
      got.version = response.httpVersion;
      got.reason = response.statusMessage;
      got.header = pairs(response.rawHeaders);
    };
    // What comes after a response to CONNECT, or one with status 101, is the socket's.
    const raw = (response, socket, head) => {
      begin(response);
      body.push(head);
      socket.on('data', (chunk) => body.push(chunk));
      socket.on('error', finish);
      socket.on('end', () => {
        socket.destroy();
        finish();
      });
    };
    const request = http.request({
      host, port, method, path: `/${number}`, agent,
      timeout: 10000, maxHeaderSize: 1 << 20, insecureHTTPParser: false,
    });
    request.on('information', (i) => got.informational.push(i.statusCode));
    request.on('connect', raw);
    request.on('upgrade', raw);
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', finish);
    request.on('response', (response) => {
      begin(response);
      response.on('data', (chunk) => body.push(chunk));
      response.on('error', finish);
      response.on('end', () => {
        got.trailer = pairs(response.rawTrailers);
        finish();
      });
    });
    request.end();
  });
}

async function main() {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk;
  for (const line of text.split('\n').filter(Boolean)) {
    const [number, method] = line.split(' ');
    process.stdout.write(JSON.stringify(await read(Number(number), method)) + '\n');
  }
  agent.destroy();
}

main();
