local t = {} t.t = t test 'x' { request = t, expect = denied }
