local frontend = "spiffe://example.org/ns/shop/sa/frontend"
local function call(method, content_type)
  return { method = "POST", path = "/" .. method, headers = { ["content-type"] = content_type or "application/grpc" } }
end

test "frontend gets an order" { principal = frontend, request = call "orders.v1.Orders/Get", expect = allowed "frontend reads orders" }
test "frontend deletes no order" { principal = frontend, request = call "orders.v1.Orders/Delete", expect = denied.by_default }
test "what is no gRPC is not allowed as gRPC" { principal = frontend, request = call("orders.v1.Orders/Get", "application/json"), expect = denied.by_default }
test "the back office deletes orders" {
  principal = "spiffe://example.org/ns/backoffice/sa/admin",
  request = call("orders.v1.Orders/Delete", "application/grpc+proto"),
  expect = allowed "back office does everything with orders",
}
test "reflection is closed" { principal = frontend, request = call "grpc.reflection.v1.ServerReflection/ServerReflectionInfo", expect = denied "reflection is closed" }
test "reflection is closed, whatever it calls itself" { principal = frontend, request = call("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "text/plain"), expect = denied "reflection is closed" }
