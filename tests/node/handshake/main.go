// Command handshake is as much of a node of some version as a plugin meets when the node starts: it
// tells its version when asked for it, else starts the plugin file through that version's own
// runtime, asks for its version and ends it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/ava-labs/avalanchego/utils/logging"
	"github.com/ava-labs/avalanchego/version"
	"github.com/ava-labs/avalanchego/vms/rpcchainvm/grpcutils"
	"github.com/ava-labs/avalanchego/vms/rpcchainvm/runtime/subprocess"
	"google.golang.org/protobuf/types/known/emptypb"

	vmpb "github.com/ava-labs/avalanchego/proto/pb/vm"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(argument string) error {
	if argument == "--version-json" {
		versions, err := json.MarshalIndent(version.GetVersions(), "", "  ")
		fmt.Println(string(versions))
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	listener, err := grpcutils.NewListener()
	if err != nil {
		return err
	}
	plugin, stopper, err := subprocess.Bootstrap(ctx, listener, subprocess.NewCmd(argument),
		&subprocess.Config{
			Stdout:           os.Stderr,
			Stderr:           os.Stderr,
			HandshakeTimeout: 30 * time.Second,
			Log:              logging.NoLog{},
		})
	if err != nil {
		return err
	}
	defer stopper.Stop(ctx)
	connection, err := grpcutils.Dial(plugin.Addr)
	if err != nil {
		return err
	}
	defer connection.Close()
	vm := vmpb.NewVMClient(connection)
	answer, err := vm.Version(ctx, &emptypb.Empty{})
	if err != nil {
		return err
	}
	fmt.Printf("protocol %d took %s\n", version.RPCChainVMProtocol, answer.Version)
	_, err = vm.Shutdown(ctx, &emptypb.Empty{})
	return err
}
