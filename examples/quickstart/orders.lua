-- Who may do what with orders. Save the file and it is in force; a broken one is reported and changes nothing.
policy "orders" {
  deny "debug is closed" { path = "/debug/**", public_reason = "debug endpoints are closed" },

  allow "frontend reads orders" {
    principal = "spiffe://example.org/ns/shop/sa/frontend",
    method    = { "GET", "HEAD" },
    path      = "/orders/{order_id}",
  },

  allow "support reads orders of its region" {
    principal = "spiffe://example.org/ns/support/**",
    method    = "GET",
    path      = "/orders/{order_id}",
    when = function(r)
      return r.header["x-region"] == "eu", "support works for eu"
    end,
  },
}
