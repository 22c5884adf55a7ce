// what: the same for the output
// options: --memory 128
// expect: failed output_too_large|out_of_memory
// bug: "output is not canonical JSON: it holds a lone surrogate" (src/engine/engine.c, take_output; value_text)
function main() { return '\u1234'.repeat(1.6e7); }
