// node validate.mjs FILE: exit 0 if the official parser finds no error in the AsyncAPI document, else 1.
import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';

const ERROR = 0; // severity of a diagnostic; 1 to 3 are warnings and hints
const file = process.argv[2];
if (!file) {
  console.error('usage: node validate.mjs FILE');
  process.exit(2);
}
const { document, diagnostics } = await new Parser().parse(await readFile(file, 'utf8'));
for (const { severity, code, path, message } of diagnostics) {
  console.error(`${severity === ERROR ? 'error' : 'note'}: ${path.join('.')}: ${message} (${code})`);
}
if (!document || diagnostics.some(({ severity }) => severity === ERROR)) process.exit(1);
console.log(`${file}: AsyncAPI ${document.version()}, ${document.messages().all().length} messages`);
