module blobvm/tests/node/handshake

go 1.24.11

require (
	github.com/ava-labs/avalanchego v1.14.1
	google.golang.org/protobuf v1.36.8
)

require (
	github.com/BurntSushi/toml v1.6.0 // indirect
	github.com/prometheus/client_model v0.6.2 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.27.0 // indirect
	golang.org/x/exp v0.0.0-20241215155358-4a5509556b9e // indirect
	golang.org/x/net v0.47.0 // indirect
	golang.org/x/sys v0.38.0 // indirect
	golang.org/x/term v0.37.0 // indirect
	golang.org/x/text v0.31.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20250818200422-3122310a409c // indirect
	google.golang.org/grpc v1.75.0 // indirect
	gopkg.in/natefinch/lumberjack.v2 v2.0.0 // indirect
)
