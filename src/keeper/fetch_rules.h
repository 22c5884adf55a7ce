/*
 * What a script's request may look like, and what of a response it sees: pure rules, from the Fetch Standard
 * (fetch.spec.whatwg.org) and RFC 9110.
 */
#pragma once

#include "wire/service.h"

#define FETCH_METHOD_MAX 32u /* bytes */

/* RESULT_FETCH_INVALID if it is no method of upper case letters, RESULT_FETCH_FORBIDDEN for CONNECT, TRACE and TRACK.
 */
enum result must_use fetch_rules_method(struct span method);

/*
 * Appends the headers of a request that may be sent; `why` hears in words why not. Those that say how the message
 * travels are the service's own affair and left out (content-length, connection, keep-alive, te, expect); those with
 * which the request would be another one are refused (host, transfer-encoding, trailer, upgrade, proxy-…):
 * RESULT_FETCH_FORBIDDEN. Names are tokens in lower case; values have no control characters but tab, and no blanks
 * around them. RESULT_FETCH_INVALID, RESULT_FETCH_HEADERS if they are more than WIRE_REQUEST_HEADERS_MAX bytes.
 */
enum result must_use fetch_rules_request_headers(struct span headers, struct buf *out, struct buf *why);
/* Whether it is a header's value. */
bool fetch_rules_value(struct span value);
/* False: the header stays between this service and the next (RFC 9110 §7.6.1), or is none. */
bool fetch_rules_response_header(struct span name, struct span value);

bool fetch_rules_redirects(uint32_t status);
/* Whether a redirect of this status turns the method into GET, without body ("HTTP-redirect fetch", step 12). */
bool fetch_rules_becomes_get(uint32_t status, struct span method);
/* Headers that go with the body. */
bool fetch_rules_of_body(struct span name);
/* Headers that are for one origin only. */
bool fetch_rules_of_origin(struct span name);
