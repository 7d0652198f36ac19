module blobvm/tests/node/handshake

go 1.25.8

require (
	github.com/ava-labs/avalanchego v1.14.2
	google.golang.org/protobuf v1.36.10
)

require (
	github.com/BurntSushi/toml v1.6.0 // indirect
	github.com/prometheus/client_model v0.6.2 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	go.uber.org/zap v1.27.0 // indirect
	golang.org/x/exp v0.0.0-20241215155358-4a5509556b9e // indirect
	golang.org/x/net v0.50.0 // indirect
	golang.org/x/sys v0.41.0 // indirect
	golang.org/x/term v0.40.0 // indirect
	golang.org/x/text v0.34.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20251202230838-ff82c1b0f217 // indirect
	google.golang.org/grpc v1.79.3 // indirect
	gopkg.in/natefinch/lumberjack.v2 v2.0.0 // indirect
)
