/* A client of a running service, for the verbs that ask one. Over libcurl; HTTPS checks certificates. Private to
 * src/cli. */
#pragma once

#include "cli/cli.h"

/* What every such verb takes; each has its place in the verb's table of options by CLIENT_OPTIONS. */
struct client {
  const struct cli_verb *verb;
  const char *url, *user, *token, *cert, *key, *ca;
};

#define CLIENT_OPTIONS                                                                                             \
  {"url", "URL", "the service (NEOCOMPUTE_URL, else http://127.0.0.1:8080)"},                                      \
      {"user", "ID", "X-User-ID (NEOCOMPUTE_USER, else your login name)"},                                         \
      {"token-file", "FILE", "bearer token (else NEOCOMPUTE_TOKEN)"}, {"cert", "FILE", "client certificate, PEM"}, \
      {"key", "FILE", "its private key, PEM"}, {                                                                   \
    "cacert", "FILE", "CA of the service's certificate, PEM"                                                       \
  }
#define CLIENT_OPTION_COUNT 6

/* Reads the environment. */
void client_begin(struct client *c, const struct cli_verb *verb);
/* Takes the option at `index` of CLIENT_OPTIONS; false after a message. */
bool client_option(struct client *c, int index, const char *value);

/* How a verb with actions is called: an action, at most one operand of it, options. */
struct client_command {
  const char *words[2];                                       /* set before: what they are if they are not given */
  const char *too_many;                                       /* complaint about a third */
  bool (*take)(void *context, int option, const char *value); /* an option behind CLIENT_OPTIONS, counted from there */
  void *context;
};
#define CLIENT_GO_ON (-1)
/* Reads all of argv into `c` and `command`. CLIENT_GO_ON, or the status to end with: help was asked for and given, or
 * something is wrong and was said. */
int client_read(struct client *c, struct client_command *command, int argc, char **argv);

struct client_reply {
  long status;
  struct buf body;
  char location[256]; /* "" if there is none */
};

/* One request. `body` NULL: none. `headers` ends with NULL. RESULT_IO after a message on standard error if there was no
 * reply at all. The reply is freed with buf_free(&reply->body). */
enum result must_use client_ask(const struct client *c, const char *method, const char *path, const struct span *body,
                                const char *const *headers, struct client_reply *reply);
/* The same, each piece of the body printed as it comes (server-sent events). */
enum result must_use client_follow(const struct client *c, const char *path, long *status);
