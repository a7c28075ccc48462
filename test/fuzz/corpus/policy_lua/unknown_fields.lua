local t = {} for i = 1, 5000 do t['f' .. i] = 1 end policy 'p' { deny 'd' (t) }
