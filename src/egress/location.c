#include "egress/location.h"

#include <curl/curl.h>

bool location_resolve(const char *base, const char *location, struct buf *out) {
  static const CURLUPart dropped[] = {CURLUPART_FRAGMENT, CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS};
  CURLU *url = curl_url();
  char *text = NULL;
  bool ok = url != NULL && curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
            curl_url_set(url, CURLUPART_URL, location, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) == CURLUE_OK;
  for (size_t i = 0; ok && i < sizeof dropped / sizeof dropped[0]; i++)
    ok = curl_url_set(url, dropped[i], NULL, 0) == CURLUE_OK;
  if (ok) ok = curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK;
  if (ok) buf_put_text(out, text);
  curl_free(text);
  curl_url_cleanup(url);
  return ok && !out->bad;
}
