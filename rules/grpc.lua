-- A gRPC service by method. An allow wants a gRPC request; a deny goes by the path, whatever the content type says.
policy "orders.v1" {
  allow "frontend reads orders" {
    principal = "spiffe://example.org/ns/shop/sa/frontend",
    grpc = { "orders.v1.Orders/Get", "orders.v1.Orders/List" },
  },

  allow "back office does everything with orders" {
    principal = "spiffe://example.org/ns/backoffice/**",
    grpc = "orders.v1.Orders/*",
  },

  deny "reflection is closed" {
    grpc = { "grpc.reflection.v1.ServerReflection/*", "grpc.reflection.v1alpha.ServerReflection/*" },
  },
}
