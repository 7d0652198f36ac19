package node_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/ava-labs/avalanchego/version"
)

// TestMain answers, as the node's program does, the plugin that asks its parent for its version.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "--version-json" {
		versions, err := json.MarshalIndent(version.GetVersions(), "", "  ")
		if err != nil {
			panic(err)
		}
		fmt.Println(string(versions))
		return
	}
	m.Run()
}
