// SPDX-License-Identifier: Apache-2.0
// Answers each request with what node's HTTP parser made of it; prints the port first.
import http from "node:http";

const server = http.createServer((request, response) => {
  let length = 0;
  request.on("data", (piece) => (length += piece.length));
  request.on("end", () => {
    const body = JSON.stringify({ method: request.method, url: request.url, length });
    response.setHeader("Content-Length", Buffer.byteLength(body));
    response.end(body);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
