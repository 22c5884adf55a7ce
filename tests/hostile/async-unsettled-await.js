// what: the same, awaited, with finally behind it
// expect: failed unsettled
async function main() { try { await new Promise(() => {}); } catch { return 'caught'; } finally { return 'never'; } }
