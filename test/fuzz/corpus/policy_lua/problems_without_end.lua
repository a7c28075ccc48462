while true do pcall(deny('x'), { path = '/' }) end
