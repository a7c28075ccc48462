// Patterns over '/'-separated segments, used in rules and routes for paths and SPIFFE IDs:
//   literal segments · `*` or `{name}` for exactly one non-empty segment · `*.txt` for one with this ending ·
//   once in a pattern `**` for any number of segments, even none (`/store/**/cart`); `**.txt` at the end is `**/*.txt`.
// A path that is just `*` matches only the target of `OPTIONS *` (RFC 9110 7.1).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace yett::target {

class SegmentPattern {
 public:
  /// `text` begins with '/', or is `*`. Literals are converted to the canonical form of request paths.
  static Result<SegmentPattern> parsePath(std::string_view text);
  /// Like parsePath(), but literals are compared as written, byte by byte.
  static Result<SegmentPattern> parseExact(std::string_view text);

  /// REQUIRES: `path` is canonical, or "" (the root of a trust domain). A trailing slash matters unless `loose`; ASCII
  /// case matters unless `fold`.
  bool matches(std::string_view path, bool loose = false, bool fold = false) const;
  /// Gets the value that `{name}` matched in `path`; false if there is none. REQUIRES: matches(path).
  bool capture(std::string_view path, std::string_view name, std::string_view& out) const;
  const std::vector<std::string>& captures() const { return names_; }
  const std::string& text() const { return text_; }

  struct Segment {
    bool any;
    bool ending;       ///< of `any`: `text` is how it ends, which may be all of it
    std::string text;  ///< a literal, or the capture's name
    /// A segment that it matches.
    std::string example() const { return !any ? text : ending ? "x" + text : "x"; }
  };
  /// Those before `**`, then those after it.
  const std::vector<Segment>& segments() const { return segments_; }
  bool rest() const { return rest_; }        ///< it has a `**`
  size_t before() const { return before_; }  ///< segments before `**`; without it, all
  bool endsWithRest() const { return rest_ && before_ == segments_.size(); }
  bool endings() const;                                   ///< whether any segment has an ending
  bool trailingSlash() const { return trailing_slash_; }  ///< ends with /
  bool asterisk() const { return asterisk_; }             ///< is `*`

 private:
  static Result<SegmentPattern> parse(std::string_view text, bool canonical);
  Status addCapture(std::string_view segment);
  Status addLiteral(std::string_view segment, bool canonical);
  std::string text_;
  std::vector<Segment> segments_;
  std::vector<std::string> names_;
  size_t before_ = 0;
  bool rest_ = false;
  bool trailing_slash_ = false;  // ends with /
  bool asterisk_ = false;        // is "*"
};

}  // namespace yett::target
