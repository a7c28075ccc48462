policy 'p' { deny 'a' { path = re '.*a.{900}' }, deny 'b' { path = re '((a{30}){30}){30}' } }
