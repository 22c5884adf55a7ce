#include "egress/address.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct address address(const char *text) {
  struct address a;
  if (!address_parse(span_text(text), &a)) fail_msg("%s is no address", text);
  return a;
}

/* Last address of a net written as its first and its prefix. */
static struct address last_of(struct address a, unsigned prefix) {
  for (unsigned bit = prefix; bit < a.bits; bit++) a.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
  return a;
}

/* https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry, all rows that are not
 * "globally reachable", and those within them that are (refused with their net). Then what is not unicast at all. */
static const struct {
  const char *first;
  unsigned prefix;
  const char *before, *after; /* public neighbours; NULL: none */
} refused[] = {
    {"0.0.0.0", 8, NULL, "1.0.0.0"},
    {"0.0.0.0", 32, NULL, NULL},
    {"10.0.0.0", 8, "9.255.255.255", "11.0.0.0"},
    {"100.64.0.0", 10, "100.63.255.255", "100.128.0.0"},
    {"127.0.0.0", 8, "126.255.255.255", "128.0.0.0"},
    {"169.254.0.0", 16, "169.253.255.255", "169.255.0.0"},
    {"169.254.169.254", 32, NULL, NULL},
    {"172.16.0.0", 12, "172.15.255.255", "172.32.0.0"},
    {"192.0.0.0", 24, "191.255.255.255", "192.0.1.0"},
    {"192.0.0.0", 29, NULL, NULL},
    {"192.0.0.8", 32, NULL, NULL},
    {"192.0.0.9", 32, NULL, NULL},
    {"192.0.0.10", 32, NULL, NULL},
    {"192.0.0.170", 32, NULL, NULL},
    {"192.0.0.171", 32, NULL, NULL},
    {"192.0.2.0", 24, "192.0.1.255", "192.0.3.0"},
    {"192.88.99.0", 24, "192.88.98.255", "192.88.100.0"},
    {"192.168.0.0", 16, "192.167.255.255", "192.169.0.0"},
    {"198.18.0.0", 15, "198.17.255.255", "198.20.0.0"},
    {"198.51.100.0", 24, "198.51.99.255", "198.51.101.0"},
    {"203.0.113.0", 24, "203.0.112.255", "203.0.114.0"},
    {"224.0.0.0", 4, "223.255.255.255", NULL},
    {"240.0.0.0", 4, NULL, NULL},
    {"255.255.255.255", 32, NULL, NULL},
    {"::1", 128, NULL, NULL},
    {"::", 128, NULL, NULL},
    {"::", 96, NULL, NULL}, /* IPv4-compatible, withdrawn */
    {"::ffff:0:0", 96, NULL, NULL},
    {"::ffff:8.8.8.8", 128, NULL, NULL},
    {"64:ff9b::", 96, NULL, NULL},
    {"64:ff9b:1::", 48, NULL, NULL},
    {"100::", 64, NULL, NULL},
    {"100:0:0:1::", 64, NULL, NULL},
    {"2001::", 23, "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
    {"2001::", 32, NULL, NULL}, /* Teredo */
    {"2001:1::1", 128, NULL, NULL},
    {"2001:1::2", 128, NULL, NULL},
    {"2001:1::3", 128, NULL, NULL},
    {"2001:2::", 48, NULL, NULL},
    {"2001:3::", 32, NULL, NULL},
    {"2001:4:112::", 48, NULL, NULL},
    {"2001:10::", 28, NULL, NULL},
    {"2001:20::", 28, NULL, NULL},
    {"2001:30::", 28, NULL, NULL},
    {"2001:db8::", 32, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    {"2002::", 16, "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
    {"3fff::", 20, "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
    {"4000::", 2, NULL, NULL}, /* not given out */
    {"5f00::", 16, NULL, NULL},
    {"fc00::", 7, NULL, NULL},
    {"fe80::", 10, NULL, NULL},
    {"fec0::", 10, NULL, NULL},
    {"ff00::", 8, NULL, NULL},
};

static void test_registries(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(refused); i++) {
    const struct address first = address(refused[i].first), last = last_of(first, refused[i].prefix);
    if (address_is_public(&first) || address_is_public(&last)) fail_msg("%s/%u", refused[i].first, refused[i].prefix);
    for (int side = 0; side < 2; side++) {
      const char *text = side == 0 ? refused[i].before : refused[i].after;
      const struct address neighbour = text == NULL ? first : address(text);
      if (address_is_public(&neighbour) != (text != NULL)) fail_msg("beside %s: %s", refused[i].first, text);
    }
  }
}

/* The registries' rows that are globally reachable, and others of the world's. */
static void test_public(void **state) {
  (void)state;
  static const char *const addresses[] = {
      "1.1.1.1",        "8.8.8.8",         "192.31.196.1",         "192.52.193.1",
      "192.175.48.1",   "2620:4f:8000::1", "2606:4700:4700::1111", "2a00:1450:4001::1",
      "223.255.255.254"};
  for (size_t i = 0; i < COUNT(addresses); i++) {
    const struct address a = address(addresses[i]);
    if (!address_is_public(&a)) fail_msg("%s", addresses[i]);
  }
}

static void test_exceptions(void **state) {
  (void)state;
  static const struct {
    const char *nets, *address;
    bool may, operator_may;
  } cases[] = {
      {"", "10.1.2.3", false, true},
      {"10.1.0.0/16", "10.1.2.3", true, true},
      {"10.1.0.0/16", "10.2.0.0", false, true},
      {"192.168.1.5, ::1", "192.168.1.5", true, true},
      {"192.168.1.5, ::1", "192.168.1.6", false, true},
      {"192.168.1.5, ::1", "::1", true, true},
      {"127.0.0.0/8", "127.255.255.255", true, true},
      {"127.0.0.0/8", "::1", false, true},
      {"127.0.0.0/8", "::ffff:127.0.0.1", false, false},
      {"::/0", "::ffff:127.0.0.1", false, false},
      {"::/0", "64:ff9b::7f00:1", false, false},
      {"::/0", "64:ff9b:1::7f00:1", false, false},
      {"::/0", "fd00::1", true, true},
      {"::/0", "::", false, false},
      {"::/0", "ff02::1", false, false},
      {"0.0.0.0/0", "169.254.169.254", true, true},
      {"0.0.0.0/0", "0.0.0.0", false, false},
      {"0.0.0.0/0", "0.1.2.3", false, false},
      {"0.0.0.0/0", "224.0.0.1", false, false},
      {"0.0.0.0/0", "255.255.255.255", false, false},
      {"fc00::/7", "fe80::1", false, true},
      {"", "8.8.8.8", true, true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct address_nets nets;
    const struct address a = address(cases[i].address);
    assert_true(address_parse_nets(span_text(cases[i].nets), &nets));
    if (address_may(&a, &nets, false) != cases[i].may) fail_msg("%s in %s", cases[i].address, cases[i].nets);
    if (address_may(&a, &nets, true) != cases[i].operator_may) fail_msg("operator: %s", cases[i].address);
  }
}

static void test_nets(void **state) {
  (void)state;
  static const struct {
    const char *list;
    unsigned count;
    bool valid;
  } cases[] = {
      {"", 0, true},
      {" \n,", 0, true},
      {"10.0.0.0/8", 1, true},
      {"10.0.0.0/8 ::1/128", 2, true},
      {"10.0.0.0/8,\n\t::1\r\n", 2, true},
      {"0.0.0.0/0", 1, true},
      {"10.0.0.0/08", 0, false},
      {"10.0.0.0/33", 0, false},
      {"10.0.0.0/", 0, false},
      {"/8", 0, false},
      {"10.0.0.0/-1", 0, false},
      {"10.0.0.0/8/8", 0, false},
      {"10.1.0.0/8", 0, false},
      {"fe80::1/10", 0, false},
      {"::1/129", 0, false},
      {"10.0/8", 0, false},
      {"010.0.0.0/8", 0, false},
      {"[::1]/128", 0, false},
      {"fe80::1%eth0", 0, false},
      {"localhost", 0, false},
      {"10.0.0.0/8 x", 0, false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    struct address_nets nets;
    const bool valid = address_parse_nets(span_text(cases[i].list), &nets);
    if (valid != cases[i].valid || (valid && nets.count != cases[i].count)) fail_msg("%s", cases[i].list);
  }
}

static void test_too_many_nets(void **state) {
  (void)state;
  struct address_nets nets;
  struct buf b = buf_new(4096);
  for (unsigned i = 0; i < ADDRESS_NETS_MAX; i++) buf_put_text(&b, "10.0.0.1 ");
  assert_true(address_parse_nets(buf_span(&b), &nets));
  buf_put_text(&b, "10.0.0.1");
  assert_false(address_parse_nets(buf_span(&b), &nets));
  buf_free(&b);
}

static void test_hosts(void **state) {
  (void)state;
  static const struct {
    const char *host;
    enum address_host is;
  } cases[] = {
      {"example.com", ADDRESS_NAME},
      {"a", ADDRESS_NAME},
      {"_dmarc.example.com", ADDRESS_NAME},
      {"1.example", ADDRESS_NAME},
      {"127.0.0.1.example", ADDRESS_NAME},
      {"0x7f.example", ADDRESS_NAME},
      {"1a", ADDRESS_NAME},
      {"127.0.0.1", ADDRESS_LITERAL},
      {"8.8.8.8", ADDRESS_LITERAL},
      {"[::1]", ADDRESS_LITERAL},
      {"[2606:4700::1]", ADDRESS_LITERAL},
      {"[::ffff:127.0.0.1]", ADDRESS_LITERAL},
      {"", ADDRESS_NO_HOST},
      {".", ADDRESS_NO_HOST},
      {"example.com.", ADDRESS_NO_HOST},
      {".example.com", ADDRESS_NO_HOST},
      {"a..b", ADDRESS_NO_HOST},
      {"Example.com", ADDRESS_NO_HOST},
      {"ex ample.com", ADDRESS_NO_HOST},
      {"example.com/", ADDRESS_NO_HOST},
      {"user@example.com", ADDRESS_NO_HOST},
      {"example.com:443", ADDRESS_NO_HOST},
      {"b\xc3\xbc"
       "cher.example",
       ADDRESS_NO_HOST},
      {"2130706433", ADDRESS_NO_HOST},
      {"0x7f.1", ADDRESS_NO_HOST},
      {"0x7f000001", ADDRESS_NO_HOST},
      {"0x", ADDRESS_NO_HOST},
      {"127.0x1", ADDRESS_NO_HOST},
      {"017700000001", ADDRESS_NO_HOST},
      {"127.1", ADDRESS_NO_HOST},
      {"127.0.1", ADDRESS_NO_HOST},
      {"0177.0.0.1", ADDRESS_NO_HOST},
      {"127.0.0.01", ADDRESS_NO_HOST},
      {"127.0.0.256", ADDRESS_NO_HOST},
      {"1.2.3.4.5", ADDRESS_NO_HOST},
      {"example.0", ADDRESS_NO_HOST},
      {"::1", ADDRESS_NO_HOST},
      {"[::1", ADDRESS_NO_HOST},
      {"[]", ADDRESS_NO_HOST},
      {"[127.0.0.1]", ADDRESS_NO_HOST},
      {"[fe80::1%eth0]", ADDRESS_NO_HOST},
      {"[fe80::1%25eth0]", ADDRESS_NO_HOST},
      {"[v1.x]", ADDRESS_NO_HOST},
  };
  struct address a;
  for (size_t i = 0; i < COUNT(cases); i++)
    if (address_host(span_text(cases[i].host), &a) != cases[i].is) fail_msg("%s", cases[i].host);
  char label[65] = "", name[256] = "";
  memset(label, 'a', 63);
  assert_int_equal(address_host(span_text(label), &a), ADDRESS_NAME);
  memset(label, 'a', 64);
  assert_int_equal(address_host(span_text(label), &a), ADDRESS_NO_HOST);
  for (size_t i = 0; i < 253; i++) name[i] = i % 2 == 0 ? 'a' : '.';
  assert_int_equal(address_host(span_of(name, 253), &a), ADDRESS_NAME);
  name[253] = '.', name[254] = 'a';
  assert_int_equal(address_host(span_of(name, 255), &a), ADDRESS_NO_HOST);
}

static void test_sockets(void **state) {
  (void)state;
  struct address a;
  const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
  const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  const struct sockaddr local = {.sa_family = AF_UNIX};
  assert_true(address_of_socket((const struct sockaddr *)&v4, sizeof v4, &a));
  assert_int_equal(a.bits, 32);
  assert_memory_equal(a.bytes, "\x7f\0\0\x01", 4);
  assert_true(address_of_socket((const struct sockaddr *)&v6, sizeof v6, &a));
  assert_int_equal(a.bits, 128);
  assert_int_equal(a.bytes[15], 1);
  assert_false(address_of_socket(&local, sizeof local, &a));
  assert_false(address_of_socket((const struct sockaddr *)&v6, sizeof v4, &a));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_registries),    cmocka_unit_test(test_public), cmocka_unit_test(test_exceptions),
      cmocka_unit_test(test_nets),          cmocka_unit_test(test_hosts),  cmocka_unit_test(test_sockets),
      cmocka_unit_test(test_too_many_nets),
  };
  return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
