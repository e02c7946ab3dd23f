// check.mjs FILE…: one line for each thing that a client is said not to support.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { caniemail } from "caniemail";
import { accepted } from "./accepted.mjs";

const clients = ["gmail.*", "outlook.*", "apple-mail.*", "yahoo.*"];
const found = new Map();
for (const file of process.argv.slice(2)) {
  const { issues } = caniemail({ clients, html: readFileSync(file, "utf8") });
  for (const [client, list] of issues.errors) {
    for (const { title } of list) {
      const all = found.get(title) ?? { clients: new Set(), files: new Set() };
      all.clients.add(client);
      all.files.add(basename(file, ".html"));
      found.set(title, all);
    }
  }
}
let failed = false;
for (const [title, { clients, files }] of [...found].sort()) {
  const instead = accepted[title];
  failed ||= instead === undefined;
  console.log(`${instead ? "ok  " : "FAIL"} ${title}: ${instead ?? "no fallback is known"} (${[...clients].sort().join(", ")})`);
}
for (const title of Object.keys(accepted).filter((title) => !found.has(title))) {
  failed = true;
  console.log(`FAIL ${title}: no letter uses it any more; take it out of accepted.mjs`);
}
if (found.size === 0) throw new Error("nothing was found at all: the tables cannot have been read");
process.exitCode = failed ? 1 : 0;
