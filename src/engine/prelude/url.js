// URL.prototype.searchParams, which url.so leaves out (https://url.spec.whatwg.org/#dom-url-searchparams): the parameters and
// the URL they belong to follow each other's changes.
const URLSearchParamsOf = URLSearchParams;
const paramsPrototype = URLSearchParams.prototype;
const SafeWeakMap = WeakMap, weakGet = uncurry(WeakMap.prototype.get), weakSet = uncurry(WeakMap.prototype.set);
const paramsToString = uncurry(paramsPrototype.toString);
const searchOf = ObjectGetOwnPropertyDescriptor(URL.prototype, 'search');
const readSearch = uncurry(searchOf.get), writeSearch = uncurry(searchOf.set);

const paramsOfURL = new SafeWeakMap(), urlOfParams = new SafeWeakMap();

const remove = uncurry(paramsPrototype.delete), add = uncurry(paramsPrototype.append);
const keysOfParams = uncurry(paramsPrototype.keys), entriesOfParams = uncurry(paramsPrototype.entries);
const nextOfParams = uncurry(new URLSearchParams().entries().next);

function clear(params) {
  for (;;) {
    const { value, done } = nextOfParams(keysOfParams(params));
    if (done) return;
    remove(params, value);
  }
}

// After the URL's query changed: the same parameters object, new contents.
function refill(url) {
  const params = weakGet(paramsOfURL, url);
  if (params === undefined) return;
  clear(params);
  const iterator = entriesOfParams(new URLSearchParamsOf(readSearch(url)));
  for (;;) {
    const { value, done } = nextOfParams(iterator);
    if (done) return;
    add(params, value[0], value[1]);
  }
}

ObjectDefineProperty(URL.prototype, 'searchParams', { __proto__: null, enumerable: true, configurable: true, set: undefined,
  get() {
    let params = weakGet(paramsOfURL, this);
    if (params === undefined) {
      params = new URLSearchParamsOf(readSearch(this));
      weakSet(paramsOfURL, this, params);
      weakSet(urlOfParams, params, this);
    }
    return params;
  } });

['search', 'href'].forEach((name) => {
  const property = ObjectGetOwnPropertyDescriptor(URL.prototype, name), write = uncurry(property.set);
  property.set = function (value) { write(this, value); refill(this); };
  ObjectDefineProperty(URL.prototype, name, property);
});

['append', 'delete', 'set', 'sort'].forEach((name) => {
  const property = ObjectGetOwnPropertyDescriptor(paramsPrototype, name), native = property.value;
  const changed = { [name](...args) {
    const result = apply(native, this, args), url = weakGet(urlOfParams, this);
    if (url !== undefined) writeSearch(url, paramsToString(this));
    return result;
  } }[name];
  ObjectDefineProperty(changed, 'length', { __proto__: null, value: native.length });
  property.value = changed;
  ObjectDefineProperty(paramsPrototype, name, property);
});
