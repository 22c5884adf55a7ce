// what: there is nothing to import
// expect: failed syntax_error|script_error
import { readFileSync } from 'node:fs';
export default () => readFileSync('/etc/passwd', 'utf8');
