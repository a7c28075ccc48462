module yett/test/interop/otlp_peer

go 1.21
