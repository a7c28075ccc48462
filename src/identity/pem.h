// Parses files of PEM blocks (RFC 7468) strictly: what OpenSSL would silently skip is an error with its line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace yett::identity {

struct PemBlock {
  std::string label;  ///< "CERTIFICATE"
  std::string text;   ///< from its BEGIN to its END line, inclusive
  int line = 0;       ///< of its BEGIN
};

/// All blocks of a file; there may be text between them. Errors: an indented or broken line, an END without a BEGIN,
/// and a block that is cut off.
Result<std::vector<PemBlock>> pemBlocks(std::string_view file);

/// The certificates of a file, in file order. With `with_keys` the file may also contain private keys; any other block
/// is an error.
Result<std::vector<PemBlock>> certificateBlocks(std::string_view file, bool with_keys);

/// A callback for OpenSSL's key readers that never prompts for a passphrase.
int noPassphrase(char* buffer, int size, int writes, void* data);

}  // namespace yett::identity
