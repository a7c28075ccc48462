// The canonical target: the single interpretation of a request's path that is routed, matched, recorded and forwarded.
// docs/target.md states the rules and the pitfalls of other proxies that they avoid.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::target {

/// A request target brought to its canonical form. Canonicalizing the result again changes nothing.
struct Target {
  std::string path;        ///< begins with '/', or is "*" (OPTIONS); parameters (`;...`) are removed
  std::string parameters;  ///< the path with its parameters; "" if it had none
  std::string query;       ///< without '?'; as sent
  bool has_query = false;
  bool encoded_slash = false;  ///< contains %2F or %5C: refused unless the route allows it

  void clear();
};

/// Canonicalizes an origin-form target or "*" into `out`, reusing its memory. The error says why it is refused (a 400).
Status canonicalize(std::string_view raw, Target& out);

/// Appends one byte of a segment in canonical form: the byte itself or its escape.
void appendSegmentByte(std::string& path, unsigned char c);

/// The canonical form of a literal path in a rule or a route, for comparison with request paths.
Result<std::string> canonicalLiteral(std::string_view path);

}  // namespace yett::target
