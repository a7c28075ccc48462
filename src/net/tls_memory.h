// Memory for OpenSSL's record buffers. Each connection gives its two back whenever they are empty
// (SSL_MODE_RELEASE_BUFFERS: ten thousand idle connections would hold 330 MB), and takes them again for the next
// request: so some are kept ready on each thread, instead of cutting 17 KiB out of the heap twice a request.
#pragma once

namespace yett::net {

/// Before OpenSSL allocates anything; later it changes nothing.
void keepRecordBuffers();

}  // namespace yett::net
