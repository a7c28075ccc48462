policy 'p' { deny 'a\0b' {}, deny 'a\0c' {} }
