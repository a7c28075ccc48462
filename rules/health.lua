-- Health checks come without a certificate, from the node itself: open for it, and for nobody else.
local checks = { "/healthz", "/readyz", "/livez" }
local node = { "127.0.0.0/8", "::1", "169.254.0.0/16" }

policy "health" {
  allow "the node checks health" { principal = anyone, method = { "GET", "HEAD" }, path = checks, source = node },
  deny "health is for the node" { path = checks, not_source = node, status = 404 },
}
