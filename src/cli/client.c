#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#define REPLY_MAX (64u << 20)
#define TOKEN_MAX 16384u

static const char *environment(const char *name, const char *fallback) {
  const char *value = getenv(name);
  return value != NULL && value[0] != 0 ? value : fallback;
}

void client_begin(struct client *c, const struct cli_verb *verb) {
  const struct passwd *me = getpwuid(getuid());
  *c = (struct client){.verb = verb};
  c->url = environment("NEOCOMPUTE_URL", "http://127.0.0.1:8080");
  c->user = environment("NEOCOMPUTE_USER", me != NULL ? me->pw_name : "me");
  c->token = environment("NEOCOMPUTE_TOKEN", NULL);
}

/* A token is not an argument: others can read those. */
static bool read_token(struct client *c, const char *path) {
  static char token[TOKEN_MAX + 1];
  struct buf text;
  if (cli_read(path, TOKEN_MAX, &text) != RESULT_OK) {
    cli_complain(c->verb, "%s: %s", path, strerror(errno));
    return false;
  }
  size_t len = text.len;
  while (len > 0 && (text.data[len - 1] == '\n' || text.data[len - 1] == '\r')) len--;
  memcpy(token, text.data, len);
  token[len] = 0;
  buf_free(&text);
  c->token = token;
  return true;
}

bool client_option(struct client *c, int index, const char *value) {
  const char **places[] = {&c->url, &c->user, NULL, &c->cert, &c->key, &c->ca};
  if (places[index] == NULL) return read_token(c, value);
  *places[index] = value;
  return true;
}

int client_read(struct client *c, struct client_command *command, int argc, char **argv) {
  struct cli_args args = {.verb = c->verb, .argc = argc, .at = 1, .argv = argv};
  const char *value = NULL;
  size_t count = 0;
  for (int option; (option = cli_next(&args, &value)) != CLI_END;) {
    if (option == CLI_HELP) return CLI_OK;
    if (option == CLI_BAD) return CLI_USAGE;
    if (option == CLI_ARGUMENT && count == sizeof command->words / sizeof command->words[0]) {
      cli_complain(c->verb, "%s", command->too_many);
      return CLI_USAGE;
    }
    if (option == CLI_ARGUMENT)
      command->words[count++] = value;
    else if (option < CLIENT_OPTION_COUNT ? !client_option(c, option, value)
                                          : !command->take(command->context, option - CLIENT_OPTION_COUNT, value))
      return CLI_USAGE;
  }
  return CLIENT_GO_ON;
}

/* ---- one request ---- */

static size_t on_body(char *data, size_t size, size_t count, void *context) {
  struct buf *body = context;
  buf_put(body, data, size * count);
  return body->bad ? 0 : size * count;
}

static size_t on_event(char *data, size_t size, size_t count, void *context) {
  (void)context;
  size_t written = fwrite(data, size, count, stdout);
  fflush(stdout);
  return written * size;
}

static struct curl_slist *header_list(const struct client *c, const char *const *headers, bool has_body) {
  struct buf line = buf_new(TOKEN_MAX + 256);
  struct curl_slist *list = NULL;
  if (has_body) list = curl_slist_append(list, "Content-Type: application/json");
  buf_printf(&line, "X-User-ID: %s%c", c->user, 0);
  list = curl_slist_append(list, (const char *)line.data);
  if (c->token != NULL) {
    buf_clear(&line);
    buf_printf(&line, "Authorization: Bearer %s%c", c->token, 0);
    list = curl_slist_append(list, (const char *)line.data);
  }
  for (; headers != NULL && *headers != NULL; headers++) list = curl_slist_append(list, *headers);
  buf_free(&line);
  return list;
}

static CURL *prepare(const struct client *c, const char *path, struct curl_slist *headers, char *problem) {
  struct buf url = buf_new(8192);
  CURL *curl = curl_easy_init();
  if (curl == NULL) return NULL;
  buf_printf(&url, "%s%s%c", c->url, path, 0);
  curl_easy_setopt(curl, CURLOPT_URL, (const char *)url.data);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "neocompute/" NEOCOMPUTE_VERSION);
  if (c->cert != NULL) curl_easy_setopt(curl, CURLOPT_SSLCERT, c->cert);
  if (c->key != NULL) curl_easy_setopt(curl, CURLOPT_SSLKEY, c->key);
  if (c->ca != NULL) curl_easy_setopt(curl, CURLOPT_CAINFO, c->ca);
  buf_free(&url);
  return curl;
}

static enum result perform(const struct client *c, CURL *curl, const char *problem, long *status) {
  CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) {
    cli_complain(c->verb, "%s: %s", c->url, problem[0] != 0 ? problem : curl_easy_strerror(code));
    return RESULT_IO;
  }
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
  return RESULT_OK;
}

enum result client_ask(const struct client *c, const char *method, const char *path, const struct span *body,
                       const char *const *headers, struct client_reply *reply) {
  char problem[CURL_ERROR_SIZE] = "";
  struct curl_slist *list = header_list(c, headers, body != NULL);
  CURL *curl = prepare(c, path, list, problem);
  enum result r = curl == NULL ? RESULT_NO_MEMORY : RESULT_OK;
  *reply = (struct client_reply){.body = buf_new(REPLY_MAX)};
  if (r == RESULT_OK) {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
    if (body != NULL) {
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data);
    }
    r = perform(c, curl, problem, &reply->status);
  }
  struct curl_header *location = NULL;
  if (r == RESULT_OK && curl_easy_header(curl, "location", 0, CURLH_HEADER, -1, &location) == CURLHE_OK)
    snprintf(reply->location, sizeof reply->location, "%s", location->value);
  if (r != RESULT_OK) buf_free(&reply->body);
  curl_easy_cleanup(curl);
  curl_slist_free_all(list);
  return r;
}

enum result client_follow(const struct client *c, const char *path, long *status) {
  char problem[CURL_ERROR_SIZE] = "";
  struct curl_slist *list = header_list(c, NULL, false);
  CURL *curl = prepare(c, path, list, problem);
  enum result r = curl == NULL ? RESULT_NO_MEMORY : RESULT_OK;
  if (r == RESULT_OK) {
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_event);
    r = perform(c, curl, problem, status);
  }
  curl_easy_cleanup(curl);
  curl_slist_free_all(list);
  return r;
}
