// A program that asks the egress door as a sandbox does, for a session without one: node egress.mjs METHOD URL [BODY]. Prints status and message.
import { request } from "node:http";

const [method, url, body = ""] = process.argv.slice(2);
const { hostname, port } = new URL(process.env.LANYARD_MCP_URL);
const headers = { connection: "Upgrade", upgrade: "lanyard-egress", authorization: `Bearer ${process.env.LANYARD_TOKEN}` };
const asked = request({ host: hostname, port, path: "/egress", headers }).end();
asked.on("response", (answer) => console.log("the door stays shut:", answer.statusCode));
asked.on("upgrade", (_answer, socket) => {
  const host = /^[a-z]+:\/\/([^/]*)/.exec(url)?.[1];
  socket.write(`${method} ${url} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
  let said = "";
  socket.on("data", (chunk) => (said += chunk));
  socket.on("close", () => {
    const [head, text] = said.split("\r\n\r\n");
    console.log(head.split("\r\n")[0]);
    console.log(JSON.parse(text).error.message);
  });
});
