g = {} local t = g for i = 1, 500 do t.x = {} t = t.x end policy 'p' { deny 'd' {} }
