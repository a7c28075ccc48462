policy 'p' { allow 'a' { principal = anyone, when = has }, allow 'b' { principal = anyone, when = pcall } }
