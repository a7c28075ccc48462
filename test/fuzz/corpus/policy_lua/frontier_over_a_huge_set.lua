policy 'p' { allow 'a' { principal = anyone, when = function(r) return ('a'):rep(65000):find('%f[' .. ('b'):rep(60000) .. ']') == nil end } }
