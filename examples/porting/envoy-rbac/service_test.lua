test "the admin does everything" { principal = "spiffe://e.org/admin", request = { method = "PUT", path = "/x" }, expect = allowed "service admin" }
test "the own network reads products" { source = "10.1.2.3", destination = "10.0.0.1:443", request = { path = "/products/1" }, expect = allowed "products from the own network" }
test "internal callers read products" { source = "192.0.2.1", destination = "10.0.0.1:80", request = { path = "/products", headers = { ["x-internal"] = "1" } },
                                        expect = allowed "products for internal callers" }
test "others do not" { source = "192.0.2.1", destination = "10.0.0.1:80", request = { path = "/products" }, expect = denied.by_default }
test "not on another port" { source = "10.1.2.3", destination = "10.0.0.1:8080", request = { path = "/products/1" }, expect = denied.by_default }
test "a prefix of a segment is not enough" { source = "10.1.2.3", destination = "10.0.0.1:443", request = { path = "/productsecret" }, expect = denied.by_default }
