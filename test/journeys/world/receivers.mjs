// Two receivers on this machine, for docs/notifications.md: a program that takes webhooks, and a mail server that keeps one mail.
import { createHmac, timingSafeEqual } from "node:crypto";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";

/** Whether Lanyard sent it: the signature fits the bytes, and it is not old. */
function isGenuine({ headers }, body, key) {
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": given = "" } = headers;
  const made = Buffer.from(`v1,${createHmac("sha256", key).update(`${id}.${time}.${body}`).digest("base64")}`);
  const isFresh = Math.abs(Date.now() / 1000 - Number(time)) < 300;
  return isFresh && made.length === Buffer.byteLength(given) && timingSafeEqual(made, Buffer.from(given));
}

const web = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const genuine = isGenuine(request, body, readFileSync("hook.key", "utf8").trim());
  if (genuine) appendFileSync("hook.txt", `${JSON.parse(body).type}: ${JSON.parse(body).data.title}\n`);
  response.writeHead(genuine ? 204 : 401).end();
});

const mail = createTcpServer((socket) => {
  const say = (line) => socket.write(`${line}\r\n`);
  let text = "";
  let inMail = false;
  say("220 mail");
  socket.setEncoding("utf8").on("data", (data) => {
    text += data;
    if (inMail && text.includes("\r\n.\r\n")) {
      const soft = text.slice(0, text.indexOf("\r\n.\r\n")).replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
      if (!soft.includes("Subject: Approval")) writeFileSync("mail.txt", soft.replaceAll("\r\n", "\n"));
      [text, inMail] = ["", false];
      return say("250 taken");
    }
    for (let end = text.indexOf("\r\n"); !inMail && end >= 0; end = text.indexOf("\r\n")) {
      const line = text.slice(0, end);
      text = text.slice(end + 2);
      inMail = /^DATA$/i.test(line);
      say(inMail ? "354 go on" : /^QUIT$/i.test(line) ? "221 bye" : "250 fine");
    }
  });
  socket.on("error", () => {});
});

web.listen(0, "127.0.0.1", () =>
  mail.listen(0, "127.0.0.1", () => {
    const [hook, smtp] = [web.address().port, mail.address().port];
    writeFileSync("lanyard.yaml", readFileSync("notifications.yaml", "utf8").replace("HOOK_PORT", hook).replace("MAIL_PORT", smtp));
    console.log("they wait, and lanyard.yaml has their ports");
  }),
);
