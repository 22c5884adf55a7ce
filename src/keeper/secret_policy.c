#include "keeper/secret_policy.h"

#include "base/hosts.h"
#include "base/json.h"
#include "base/text.h"
#include "keeper/secret_record.h"

#define SERVICES_MAX 16u
#define SERVICE_MAX 64u
#define SCRIPTS_MAX 64u

enum member { EXPIRES_AT, EXPOSE, HOSTS, SCRIPTS, SERVICES, USES, MEMBERS };

struct reading {
  struct secret_policy *policy;
  struct buf *detail;
  const char *member; /* the one at hand */
  unsigned seen;      /* a bit each */
  size_t count;       /* items of the list at hand */
};

static enum result fault(struct reading *r, const char *sentence) {
  buf_clear(r->detail);
  buf_printf(r->detail, "policy.%s: %s", r->member, sentence);
  return RESULT_SECRET_INVALID;
}

/* A string of at most `size` bytes; what `out` then has is not NUL-terminated. */
static bool get_short(struct span value, void *memory, size_t size, struct span *out) {
  struct buf text = buf_fixed(memory, size);
  if (value.len < 2 || value.data[0] != '"' || !json_get_string(value, &text) || text.bad) return false;
  *out = buf_span(&text);
  return true;
}

/* ---- members ---- */

static enum result read_expires_at(struct reading *r, struct span value) {
  char memory[64];
  struct span text;
  uint64_t ns;
  if (!get_short(value, memory, sizeof memory, &text) || text_rfc3339(text, &ns) != RESULT_OK || ns == 0)
    return fault(r, "must be a time as in RFC 3339");
  r->policy->expires_ns = ns;
  return RESULT_OK;
}

static enum result read_expose(struct reading *r, struct span value) {
  char memory[16];
  struct span text = {0};
  bool fits = get_short(value, memory, sizeof memory, &text);
  r->policy->egress_only = fits && span_is(text, "egress-only");
  return r->policy->egress_only || (fits && span_is(text, "value")) ? RESULT_OK
                                                                    : fault(r, "must be value or egress-only");
}

static bool no_more_than(struct reading *r, size_t max) {
  return ++r->count <= max;
}

static enum result read_host(void *context, const struct json_item *item) {
  struct reading *r = context;
  char memory[HOSTS_NAME_MAX];
  struct span text;
  if (!get_short(item->value, memory, sizeof memory, &text) || text.len == 0 || !hosts_valid(text))
    return fault(r, "must be a list of host names in lower case, as api.example.com or *.example.com");
  for (size_t i = 0; i < text.len; i++)
    if (text.data[i] <= ' ' || text.data[i] == ',') return fault(r, "must have one host in each string");
  if (!no_more_than(r, HOSTS_MAX)) return fault(r, "too many hosts");
  if (r->policy->hosts.len > 0) buf_put_u8(&r->policy->hosts, ' ');
  buf_put_span(&r->policy->hosts, text);
  return RESULT_OK;
}

static enum result read_script(void *context, const struct json_item *item) {
  struct reading *r = context;
  char memory[2 * HASH_SIZE];
  uint8_t hash[HASH_SIZE];
  struct span text;
  if (!get_short(item->value, memory, sizeof memory, &text) || !text_unhex(text, hash, sizeof hash))
    return fault(r, "must be a list of SHA-256 hashes, 64 hexadecimal digits each");
  if (!no_more_than(r, SCRIPTS_MAX)) return fault(r, "too many scripts");
  buf_put(&r->policy->scripts, hash, sizeof hash);
  return RESULT_OK;
}

static bool is_service(struct span name) {
  for (size_t i = 0; i < name.len; i++) {
    const uint8_t c = name.data[i];
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')) return false;
  }
  return name.len > 0;
}

static enum result read_service(void *context, const struct json_item *item) {
  struct reading *r = context;
  char memory[SERVICE_MAX];
  struct span text;
  if (!get_short(item->value, memory, sizeof memory, &text) || !is_service(text))
    return fault(r, "must be a list of service names, [a-z0-9._-]{1,64} each");
  if (!no_more_than(r, SERVICES_MAX)) return fault(r, "too many services");
  buf_put_span(&r->policy->services, text);
  buf_put_u8(&r->policy->services, ' ');
  return RESULT_OK;
}

/* An empty list could mean "none" as well as "any": it is neither. */
static enum result read_list(struct reading *r, struct span value, json_visit *visit) {
  size_t at;
  r->count = 0;
  if (json_first(value) != '[') return fault(r, "must be a list");
  enum result result = json_each(value, 2, visit, r, &at);
  if (result == RESULT_INPUT_INVALID) return fault(r, "must be a list of strings");
  return result == RESULT_OK && r->count == 0 ? fault(r, "must not be empty") : result;
}

static enum result read_hosts(struct reading *r, struct span value) {
  return read_list(r, value, read_host);
}

static enum result read_scripts(struct reading *r, struct span value) {
  return read_list(r, value, read_script);
}

static enum result read_services(struct reading *r, struct span value) {
  return read_list(r, value, read_service);
}

static enum result read_uses(struct reading *r, struct span value) {
  if (text_u64(value, 1, SECRET_USES_MAX, &r->policy->uses) == RESULT_OK) return RESULT_OK;
  return fault(r, "must be a whole number from 1 to 1000000000");
}

static const struct {
  const char *name;
  enum result (*read)(struct reading *r, struct span value);
} members[MEMBERS] = {
    [EXPIRES_AT] = {"expires_at", read_expires_at},
    [EXPOSE] = {"expose", read_expose},
    [HOSTS] = {"hosts", read_hosts},
    [SCRIPTS] = {"scripts", read_scripts},
    [SERVICES] = {"services", read_services},
    [USES] = {"uses", read_uses},
};

static enum result read_member(void *context, const struct json_item *item) {
  struct reading *r = context;
  char memory[32];
  struct span name;
  r->member = "";
  if (item->key.len == 0) return fault(r, "must be an object");
  for (unsigned i = 0; i < MEMBERS; i++) {
    if (!get_short(item->key, memory, sizeof memory, &name) || !span_is(name, members[i].name)) continue;
    r->member = members[i].name;
    if (r->seen & 1u << i) return fault(r, "comes twice");
    r->seen |= 1u << i;
    return members[i].read(r, item->value);
  }
  buf_clear(r->detail);
  buf_put_text(r->detail, "policy: has a member that is not known: ");
  buf_put_span(r->detail, item->key.len <= 100 ? item->key : span_text("…"));
  return RESULT_SECRET_INVALID;
}

/* ---- a policy ---- */

static enum result check(struct reading *r) {
  const struct secret_policy *p = r->policy;
  r->member = "hosts";
  if (p->egress_only && p->hosts.len == 0) return fault(r, "an egress-only secret needs them");
  /* The script has the value and may send it anywhere: what cannot be held to is not promised. */
  if (!p->egress_only && p->hosts.len > 0) return fault(r, "only an egress-only secret can be held to hosts");
  return p->services.bad || p->hosts.bad || p->scripts.bad ? RESULT_NO_MEMORY : RESULT_OK;
}

enum result secret_policy_parse(struct span json, struct secret_policy *out, struct buf *detail) {
  struct reading r = {.policy = out, .detail = detail};
  size_t at;
  *out = (struct secret_policy){.services = buf_new(SECRET_POLICY_MAX),
                                .hosts = buf_new(SECRET_POLICY_MAX),
                                .scripts = buf_new(SCRIPTS_MAX * HASH_SIZE)};
  if (json.len == 0) return RESULT_OK;
  if (json.len > SECRET_POLICY_MAX) { /* what is canonical is no longer */
    buf_put_text(detail, "policy: exceeds 8192 bytes");
    return RESULT_SECRET_INVALID;
  }
  enum result result = json_first(json) == '{' ? json_each(json, 3, read_member, &r, &at) : RESULT_INPUT_INVALID;
  if (result == RESULT_OK) result = check(&r);
  if (result != RESULT_INPUT_INVALID) return result;
  buf_clear(detail);
  buf_put_text(detail, "policy: must be a JSON object");
  return RESULT_SECRET_INVALID;
}

/* The next of names with spaces between or behind them, taken off. */
static struct span take_name(struct span *names) {
  const uint8_t *space = memchr(names->data, ' ', names->len);
  const size_t len = space != NULL ? (size_t)(space - names->data) : names->len;
  const struct span name = span_of(names->data, len);
  const size_t past = len + (space != NULL);
  *names = span_of(names->data + past, names->len - past);
  return name;
}

static void put_names(struct buf *b, const char *key, struct span names) {
  if (names.len == 0) return;
  json_put_key(b, key);
  for (const char *open = "["; names.len > 0; open = ",") {
    buf_put_text(b, open);
    json_put_string(b, take_name(&names));
  }
  buf_put_u8(b, ']');
}

static void put_scripts(struct buf *b, struct span hashes) {
  if (hashes.len == 0) return;
  json_put_key(b, "scripts");
  for (size_t i = 0; i < hashes.len; i += HASH_SIZE) {
    buf_put_text(b, i == 0 ? "[\"" : ",\"");
    text_put_hex(b, span_of(hashes.data + i, HASH_SIZE));
    buf_put_u8(b, '"');
  }
  buf_put_u8(b, ']');
}

static bool restricts(const struct secret_policy *p) {
  return p->egress_only || p->services.len > 0 || p->scripts.len > 0 || p->uses > 0 || p->expires_ns > 0;
}

void secret_policy_put(struct buf *b, const struct secret_policy *policy) {
  if (!restricts(policy)) return;
  buf_put_u8(b, '{');
  if (policy->expires_ns > 0) {
    json_put_key(b, "expires_at");
    buf_put_u8(b, '"');
    text_put_rfc3339(b, policy->expires_ns);
    buf_put_u8(b, '"');
  }
  if (policy->egress_only) json_put_member_string(b, "expose", span_text("egress-only"));
  put_names(b, "hosts", buf_span(&policy->hosts));
  put_scripts(b, buf_span(&policy->scripts));
  put_names(b, "services", buf_span(&policy->services));
  if (policy->uses > 0) json_put_member_number(b, "uses", policy->uses);
  buf_put_u8(b, '}');
}

void secret_policy_free(struct secret_policy *policy) {
  buf_free(&policy->services);
  buf_free(&policy->hosts);
  buf_free(&policy->scripts);
}

/* ---- an access ---- */

static bool allows_service(const struct secret_policy *policy, struct span service) {
  struct span names = policy->services.len > 0 ? buf_span(&policy->services) : span_text(SECRET_SERVICE " ");
  while (names.len > 0)
    if (span_equal(take_name(&names), service)) return true;
  return false;
}

static bool allows_script(const struct secret_policy *policy, const uint8_t *script) {
  for (size_t i = 0; i < policy->scripts.len; i += HASH_SIZE)
    if (memcmp(policy->scripts.data + i, script, HASH_SIZE) == 0) return true;
  return policy->scripts.len == 0;
}

enum result secret_policy_evaluate(const struct secret_policy *policy, const struct secret_access *access,
                                   const char **rule) {
  *rule = "services";
  if (!allows_service(policy, access->service)) return RESULT_SECRET_FORBIDDEN;
  *rule = "expires_at";
  if (policy->expires_ns > 0 && access->now_ns >= policy->expires_ns) return RESULT_SECRET_EXPIRED;
  *rule = "scripts";
  if (!allows_script(policy, access->script)) return RESULT_SECRET_FORBIDDEN;
  *rule = "uses";
  if (policy->uses > 0 && access->used >= policy->uses) return RESULT_SECRET_FORBIDDEN;
  *rule = NULL;
  return RESULT_OK;
}
