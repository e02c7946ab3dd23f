// nodemailer's pool: pool.mjs PORT MESSAGES SESSIONS BYTES [KEY].
import { readFileSync } from "node:fs";
import { createTransport } from "nodemailer";

const [port, messages, sessions, bytes, key] = process.argv.slice(2);
const sentence = "Water the young trees at dusk, and let the old ones look after themselves. ";
const text = sentence.repeat(bytes / 2 / sentence.length);
const html = `<p>${text}</p>`;
const transport = createTransport({
  host: "127.0.0.1",
  port: Number(port),
  pool: true,
  maxConnections: Number(sessions),
  maxMessages: Infinity,
  ignoreTLS: true,
  dkim: key && {
    domainName: "garden.example.org",
    keySelector: "bench",
    privateKey: readFileSync(key, "utf8"),
  },
});
let next = 0;
async function worker() {
  while (next < messages) {
    const number = next++;
    await transport.sendMail({
      from: "The Garden Table <news@garden.example.org>",
      to: `Nomsa <reader${number}@example.org>`,
      subject: "After the first rain",
      text,
      html,
    });
  }
}
// Two for each session, so that none waits for the next message to be built.
await Promise.all(Array.from({ length: sessions * 2 }, worker));
transport.close();
