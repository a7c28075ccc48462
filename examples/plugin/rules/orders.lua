policy "orders" {
  allow "services read orders" { principal = "spiffe://example.org/**", method = { "GET", "HEAD" }, path = "/orders/{order_id}" },
}
