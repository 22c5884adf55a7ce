// what: … or never settle
// expect: failed unsettled
function main() { return { then() {} }; }
