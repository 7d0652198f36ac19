module blobvm/tests/node/handshake

go 1.24.0

require (
	github.com/ava-labs/avalanchego v1.13.5
	google.golang.org/protobuf v1.36.5
)

require (
	github.com/BurntSushi/toml v1.6.0 // indirect
	github.com/prometheus/client_model v0.6.1 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.26.0 // indirect
	golang.org/x/exp v0.0.0-20241215155358-4a5509556b9e // indirect
	golang.org/x/net v0.38.0 // indirect
	golang.org/x/sys v0.31.0 // indirect
	golang.org/x/term v0.30.0 // indirect
	golang.org/x/text v0.23.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20240827150818-7e3bb234dfed // indirect
	google.golang.org/grpc v1.66.0 // indirect
	gopkg.in/natefinch/lumberjack.v2 v2.0.0 // indirect
)
