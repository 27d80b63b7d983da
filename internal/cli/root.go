package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/throng-server/throng/internal/clientjs"
)

// Exit codes; 70 is EX_SOFTWARE of sysexits, 78 EX_CONFIG.
const (
	exitOK        = 0
	exitRuntime   = 1
	exitUsage     = 2
	exitThreshold = 3
	exitEngine    = 70
	exitConfig    = 78
)

// version is stamped by the build.
var version = ""

// codeError is an error that ends the program with a code of its own.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// Main runs the command line args and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(stderr, "throng:", err)
	var coded *codeError
	if errors.As(err, &coded) {
		return coded.code
	}
	// Whatever cobra itself complains about is a wrong use.
	fmt.Fprintln(stderr, "try: throng --help")
	return exitUsage
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "throng",
		Short:         "A Socket.IO server",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.RunE = func(c *cobra.Command, _ []string) error {
		if err := c.Help(); err != nil {
			return err
		}
		return errors.New("name a command")
	}
	root.AddCommand(newBench(), newBenchWorker(), newConfig(), newDemo(), newEmit(), newServe(),
		newVersion())
	root.AddCommand(newDoctor(), newMan())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			mode := "not available"
			if client, err := clientjs.Open(""); err == nil {
				mode = client.Mode()
			}
			fmt.Fprintf(c.OutOrStdout(), "throng %s %s %s/%s, browser client %s (%s)\n",
				versionString(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
				clientjs.Version, mode)
		},
	}
}

// versionString is the stamped version, or what go install knows.
func versionString() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
