module yett/test/interop/json_reader

go 1.26.0
