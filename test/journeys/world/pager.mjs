// A pager: takes signed webhooks, and writes each page to page-1.txt, page-2.txt, ... with what it suggests to type after `> `.
// node pager.mjs FILE puts its own address into that file where `http://127.0.0.1:0/` stands, and the key of its signatures into pager.secret.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

const key = randomBytes(32);
writeFileSync("pager.secret", `whsec_${key.toString("base64")}`, { mode: 0o600 });
let pages = 0;

const isGenuine = (headers, body) => {
  const made = "v1," + createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest("base64");
  const sent = Buffer.from(headers["webhook-signature"] ?? "");
  return sent.length === made.length && timingSafeEqual(sent, Buffer.from(made));
};

const textOf = ({ data: { title, severity, lines, fields, commands } }) =>
  [`${severity}: ${title}`, ...lines, ...Object.entries(fields).map(([name, value]) => `${name}: ${value}`), ...commands.map((command) => `> ${command}`), ""].join("\n");

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  writeFileSync(`page-${++pages}.txt`, textOf(JSON.parse(body)));
  response.writeHead(204).end();
});
server.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}/`;
  const [file] = process.argv.slice(2);
  writeFileSync(file, readFileSync(file, "utf8").replaceAll("http://127.0.0.1:0/", url));
  console.log(`a pager at ${url}`);
});
