// A query string read as key=value pairs (application/x-www-form-urlencoded, WHATWG URL 5.1).
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace yett::target {

/// One pair, as views: into the query where nothing was encoded, else into what parseQuery() was given to keep.
using QueryPair = std::pair<std::string_view, std::string_view>;

/// All pairs in order, decoded ('+' is a blank), without allocating where nothing is encoded. `kept` holds what was
/// decoded. A bad escape is an error: two readers could disagree about it.
Status parseQuery(std::string_view query, std::deque<std::string>& kept, std::vector<QueryPair>& out);

/// All pairs in order, decoded ('+' is a blank). A bad escape is an error: two readers could disagree about it.
Result<std::vector<std::pair<std::string, std::string>>> parseQuery(std::string_view query);

/// As parseQuery(), with each pair that a service finds by splitting at `;` too, after the pair it is a part of.
Status parseQueryAnyhow(std::string_view query, std::deque<std::string>& kept, std::vector<QueryPair>& out);

/// Whether some service takes the key `sent` for `key`: in another case (ASP.NET, Express with its common settings), with
/// brackets (`key[]`, `key[0]`, `[key]`, `key]`: PHP, Rails, qs), with a blank before it or `.`, a blank or `[` for `_` (PHP).
bool maySpell(std::string_view sent, std::string_view key);

}  // namespace yett::target
