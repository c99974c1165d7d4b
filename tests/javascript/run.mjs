/** Does the jobs of a file, one JSON object a line, and prints their results the same way. */

import { createInterface } from "node:readline";
import { run } from "./jobs.js";

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  if (line) process.stdout.write(JSON.stringify(await run(JSON.parse(line))) + "\n");
}
