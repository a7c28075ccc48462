module yett/test/interop/go_service

go 1.22
