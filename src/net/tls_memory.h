// Memory for OpenSSL's record buffers. Each connection frees its two buffers whenever they are empty
// (SSL_MODE_RELEASE_BUFFERS; otherwise ten thousand idle connections would hold 330 MB) and needs them again for the
// next request. So each thread keeps some ready, instead of allocating 17 KiB from the heap twice per request.
#pragma once

namespace yett::net {

/// Call before OpenSSL allocates anything; later it has no effect.
void keepRecordBuffers();

}  // namespace yett::net
