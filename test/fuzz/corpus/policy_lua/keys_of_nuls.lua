local t = {} local z = ('\0'):rep(6500) for i = 1, 40 do t[z .. i] = 1 end policy 'p' { allow 'a' { principal = anyone, when = function(r) for k in pairs(t) do return true end return false end } }
