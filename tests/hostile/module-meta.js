// what: a module learns nothing of where it stands
// expect: completed
// output: {"keys":[],"resolve":"undefined"}
export default () => ({ keys: Reflect.ownKeys(import.meta), resolve: typeof import.meta.resolve });
