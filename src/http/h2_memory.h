// Memory for nghttp2, which allocates and frees about twenty small blocks for each stream.
#pragma once

#include <nghttp2/nghttp2.h>

namespace yett::http {

/// Stateless. Valid for the whole run, on any thread.
nghttp2_mem* h2Memory();

}  // namespace yett::http
