// x-forwarded-client-cert: whom the proxies in front saw, in the form of Envoy.
//
//   Hash=468e...;Subject="CN=web,O=Acme\, Inc.";URI=spiffe://a/web, By=spiffe://a/edge;Hash=9ba6...;URI=spiffe://a/gate
//
// An element per proxy, the first proxy's first, with commas between them. An element is pairs of key and value, with
// semicolons between them. Keys are By, Hash, Cert, Chain, Subject, Issuer, URI and DNS, in any case. A value with a
// space or one of `,;="\` is in double quotes. Inside quotes, `\"` is a quote. A backslash is itself, but is doubled
// before a quote, before another backslash, and at the end.
//
// Envoy's documentation says nothing about backslashes. Its reader (XFCC_VALUE) takes `\\` for one backslash anywhere,
// its writer puts the Subject in quotes as RFC 2253 has it. So Envoy reads `CN=a\\,O=b` (the name `a\` and the
// organization `b`) and `CN=a\,O=b` (the name `a,O=b`) as the same. Here two different texts inside quotes never are
// the same value: a doubled backslash before any other character is refused, and all else is read as by Envoy.
//
// What the form cannot show: Envoy writes By, URI and DNS without quotes, whatever they contain. A certificate with
// `;URI=...` or `,URI=...` in such a name adds a pair or an element. Only the CA that signs it can prevent this.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace yett::request {

/// One element. Cert, Chain and Issuer are checked like the other values, but not kept. Empty values, as in `URI=`, are
/// as if they were not there: Envoy writes them for certificates without a URI or subject.
struct ForwardedCaller {
  std::string hash;               ///< as it was sent: Envoy's is SHA-256 in hex
  std::string subject;            ///< Envoy's is a name in the form of RFC 2253, but with each `\"` as `"`
  std::vector<std::string> uris;  ///< of the caller's certificate
  std::vector<std::string> dns;   ///< of the caller's certificate
  std::vector<std::string> by;    ///< URIs of the certificate of the proxy that wrote the element

  bool operator==(const ForwardedCaller&) const = default;
};

/// All elements, at least one. Only spaces around a comma between elements are ignored. Nothing is skipped or guessed:
/// an error, which names the element by its number, for
///   - an empty header or element, over 16 KiB, over 64 elements;
///   - a byte that is not printable ASCII;
///   - an unknown key, a key without `=` or with a space, a semicolon without a pair;
///   - Hash, Cert, Chain, Subject or Issuer twice in an element, even if one is empty;
///   - quotes that are not closed, text after them, or a character without quotes that needs them;
///   - a doubled backslash before any other character than a quote or a backslash.
Result<std::vector<ForwardedCaller>> parseXfcc(std::string_view value);

/// A value as it is written, in quotes if it needs them; "" becomes `""`. parseXfcc returns it unchanged, except for
/// bytes that no header may have: all but printable ASCII are written as by RFC 2253, a backslash and two hex digits.
std::string xfccValue(std::string_view raw);

}  // namespace yett::request
