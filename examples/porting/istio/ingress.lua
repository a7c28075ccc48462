-- Two Istio AuthorizationPolicies, addresses:
--   action: ALLOW  rules: - from: [{source: {remoteIpBlocks: ["192.0.2.0/24", "2001:db8:7::/48"]}}]
--                           to: [{operation: {hosts: ["partner.example.org"]}}]
--   action: DENY   rules: - from: [{source: {notIpBlocks: ["10.0.0.0/8"]}}]
--                           to: [{operation: {hosts: ["partner.example.org"]}}]
-- `ipBlocks` is about the peer of the connection, here `source`. `remoteIpBlocks` is about the client, which the
-- gateway in front names last in x-forwarded-for. Yett keeps that header for `trusted_forwarders` alone. What the
-- client itself wrote there comes before it and counts for nothing.
local partners = { cidr "192.0.2.0/24", cidr "2001:db8:7::/48" }

policy "ingress" {
  deny "not past the gateway" { host = "partner.example.org", not_source = "10.0.0.0/8" },

  allow "partners" {
    principal = "spiffe://cluster.local/ns/istio-system/sa/gateway",
    host      = "partner.example.org",
    path      = "/**",
    when      = function(r)
      local client = r.header["x-forwarded-for"]:match("[^, ]+$")
      for _, network in ipairs(partners) do
        if network:contains(client) then return true end
      end
      return false
    end,
  },
}
