// Files of PEM blocks (RFC 7468), strictly: what OpenSSL would pass over in silence is an error that says where.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace yett::identity {

struct PemBlock {
  std::string label;  ///< "CERTIFICATE"
  std::string text;   ///< from its BEGIN line to its END line
  int line = 0;       ///< where it begins
};

/// All blocks of a file; text may stand between them. An error for a line that is indented, torn, or an end without a
/// beginning, and for a block that is cut off.
Result<std::vector<PemBlock>> pemBlocks(std::string_view file);

/// The certificates of a file, in its order. Private keys may stand beside them where `with_keys`; anything else is an
/// error.
Result<std::vector<PemBlock>> certificateBlocks(std::string_view file, bool with_keys);

/// For OpenSSL's functions that read keys: nobody is asked for a passphrase.
int noPassphrase(char* buffer, int size, int writes, void* data);

}  // namespace yett::identity
