/* A worker that lies: it enters the same sandbox, then answers each job as the job's script tells it to ("lie NAME").
 */
#include <unistd.h>

#include "base/text.h"
#include "sandbox/sandbox.h"
#include "wire/wire.h"

static uint8_t memory[WIRE_ANSWER_MAX + 65536], job_memory[WIRE_JOB_MAX];

static void say(struct buf *b) {
  if (msg_send_built(SANDBOX_SOCKET, b) != RESULT_OK) _exit(1);
}

static void say_raw(const char *bytes, size_t len) {
  while (len > 0) {
    ssize_t n = write(SANDBOX_SOCKET, bytes, len);
    if (n <= 0) _exit(1);
    bytes += n;
    len -= (size_t)n;
  }
}

static struct wire_done good(uint64_t id) {
  return (struct wire_done){.id = id, .output = span_text("{\"sum\":5}"), .reusable = true};
}

static void done(struct buf *b, struct wire_done answer) {
  wire_put_done(b, &answer);
  say(b);
}

static void tell_nothing(struct buf *b, uint64_t id) {
  (void)b, (void)id;
  for (;;) getppid(); /* forbidden: the sandbox ends it */
}
static void tell_truth(struct buf *b, uint64_t id) {
  done(b, good(id));
}
static void tell_other_id(struct buf *b, uint64_t id) {
  done(b, good(id + 1));
}
static void tell_long_length(struct buf *b, uint64_t id) {
  (void)b, (void)id;
  say_raw("\xff\xff\xff\xff\x04", 5);
}
static void tell_short_body(struct buf *b, uint64_t id) {
  (void)b, (void)id;
  say_raw("\x03\0\0\0\x04xyz", 8);
}
static void tell_half(struct buf *b, uint64_t id) {
  (void)b, (void)id;
  say_raw("\x40\0\0\0\x04half", 9);
  _exit(0);
}
static void tell_ready_again(struct buf *b, uint64_t id) {
  (void)id;
  wire_put_ready(b, &(struct wire_ready){.engine_id = span_text("x")});
  say(b);
}
static void tell_bad_text(struct buf *b, uint64_t id) {
  struct wire_done answer = good(id);
  answer.error = span_text("\xff\xfe");
  done(b, answer);
}
static void tell_bad_result(struct buf *b, uint64_t id) {
  struct wire_done answer = good(id);
  answer.result = 4000;
  done(b, answer);
}
static void tell_not_json(struct buf *b, uint64_t id) {
  struct wire_done answer = good(id);
  answer.output = span_text("{\"sum\":5},\"status\":\"completed\"");
  done(b, answer);
}
static void tell_two_values(struct buf *b, uint64_t id) {
  struct wire_done answer = good(id);
  answer.output = span_text("{\"sum\":5}{\"more\":1}");
  done(b, answer);
}
static void tell_too_much(struct buf *b, uint64_t id) {
  struct wire_done answer = good(id);
  static char big[1048577];
  memset(big, '1', sizeof big);
  answer.output = span_of(big, sizeof big);
  done(b, answer);
}
static void tell_twice(struct buf *b, uint64_t id) {
  done(b, good(id));
  done(b, good(id));
}
static void tell_many_logs(struct buf *b, uint64_t id) {
  for (int i = 0; i < 200; i++) {
    wire_put_log(b, &(struct wire_log){.id = id, .text = span_text("x")});
    say(b);
  }
  done(b, good(id));
}
static void tell_bad_log(struct buf *b, uint64_t id) {
  wire_put_log(b, &(struct wire_log){.id = id, .text = span_text("\xc3")});
  say(b);
  done(b, good(id));
}
static void tell_long_log(struct buf *b, uint64_t id) {
  static char big[4096 + 15];
  memset(big, 'x', sizeof big);
  wire_put_log(b, &(struct wire_log){.id = id, .text = span_of(big, sizeof big)});
  say(b);
  done(b, good(id));
}
static void tell_other_log(struct buf *b, uint64_t id) {
  wire_put_log(b, &(struct wire_log){.id = id + 1, .text = span_text("x")});
  say(b);
  done(b, good(id));
}
/* The length inside the message goes beyond it. */
static void tell_forged_length(struct buf *b, uint64_t id) {
  wire_put_log(b, &(struct wire_log){.id = id, .text = span_text("four")});
  b->data[b->len - 8] = 5; /* a span is its length in four bytes, and its bytes */
  say(b);
  done(b, good(id));
}
static void tell_job(struct buf *b, uint64_t id) {
  struct wire_job job = wire_default_job(span_text("function main() {}"));
  job.id = id;
  wire_put_job(b, &job);
  say(b);
}
static void tell_many_steps(struct buf *b, uint64_t id) {
  struct wire_done answer = good(id);
  answer.steps = UINT64_C(1) << 53;
  done(b, answer);
}
static void tell_long_time(struct buf *b, uint64_t id) {
  struct wire_done answer = good(id);
  answer.cpu_ns = UINT64_MAX;
  done(b, answer);
}
static void hang(struct buf *b, uint64_t id) {
  (void)b, (void)id;
  for (volatile unsigned i = 0;; i++) continue;
}
static void quit(struct buf *b, uint64_t id) {
  (void)b, (void)id;
  _exit(0);
}

static const struct {
  const char *name;
  void (*tell)(struct buf *b, uint64_t id);
} lies[] = {
    {"nothing", tell_nothing},
    {"truth", tell_truth},
    {"other id", tell_other_id},
    {"long length", tell_long_length},
    {"short body", tell_short_body},
    {"half", tell_half},
    {"ready again", tell_ready_again},
    {"bad text", tell_bad_text},
    {"bad result", tell_bad_result},
    {"not json", tell_not_json},
    {"two values", tell_two_values},
    {"too much", tell_too_much},
    {"twice", tell_twice},
    {"many logs", tell_many_logs},
    {"bad log", tell_bad_log},
    {"long log", tell_long_log},
    {"other log", tell_other_log},
    {"forged length", tell_forged_length},
    {"job", tell_job},
    {"many steps", tell_many_steps},
    {"long time", tell_long_time},
    {"hang", hang},
    {"quit", quit},
};

int main(int argc, char **argv) {
  uint64_t held = 0;
  struct buf b = buf_fixed(memory, sizeof memory), body = buf_fixed(job_memory, sizeof job_memory);
  if (argc != 2 || text_u64(span_text(argv[1]), 0, SANDBOX_ALL, &held) != RESULT_OK) return 2;
  close(SANDBOX_PROGRAM);
  sandbox_set fences = (sandbox_set)held;
  if (sandbox_enter(SANDBOX_WORKER, NULL, &fences) != RESULT_OK) return 3;
  static const char id[] = "0000000000000000000000000000000000000000000000000000000000000000";
  wire_put_ready(&b, &(struct wire_ready){.engine_id = span_text(id), .fences = fences});
  say(&b);
  for (;;) {
    uint8_t type;
    struct wire_job job;
    if (msg_receive(SANDBOX_SOCKET, &type, &body) != RESULT_OK || !wire_get_job(buf_span(&body), &job)) return 0;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
      if (span_is(job.script, lies[i].name)) lies[i].tell(&b, job.id);
    }
  }
}
