test 'x' { request = { headers = { a = { 'x', 'y' } } }, expect = denied }
