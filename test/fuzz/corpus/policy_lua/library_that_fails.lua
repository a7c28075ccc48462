pcall(require, 'lib.none') policy 'p' { deny 'd' {} }
