-- Who may do what: yett-policy(7). Without an allow that applies, a request is denied.
policy "main" {
  -- allow "frontend reads orders" {
  --   principal = "spiffe://example.org/ns/shop/sa/frontend",   -- or `anyone` on a plaintext listener
  --   method = "GET", path = "/orders/**",
  -- },

  deny "everything" { path = "/**", reason = "the policy that the package installs: edit /etc/yett/rules/main.lua" },
}
