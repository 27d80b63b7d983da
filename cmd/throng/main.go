// Command throng is the Socket.IO server as one binary; see internal/cli.
package main

import (
	"os"

	"github.com/throng-server/throng/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
