package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/throng-server/throng/internal/doctor"
)

// errUnwell ends the doctor: the report has said what it is.
var errUnwell = errors.New("something is wrong, see FAIL above")

func newDoctor() *cobra.Command {
	var target, origin string
	var conns int
	var idle time.Duration
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find what stands in the way: limits of this machine, proxies",
		Long: `Compare the limits of this machine with what --connections need, run by the
user and in the unit that run the server. With --url, walk a browser's way to a
server through whatever stands between: polling, sessions on several
connections, CORS, the upgrade, WebSocket, and whether idle connections are cut
before the server's ping. Nothing is changed.

Exit code 0: nothing is wrong (there may be warnings); 1: something is.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var report *doctor.Report
			if target != "" {
				u, err := doctor.ParseURL(target)
				if err != nil {
					return fmt.Errorf("--url %s: %w", target, err)
				}
				report = doctor.Try(c.Context(), doctor.Remote{URL: u, Origin: origin, Idle: idle})
			} else {
				if conns < 1 {
					return fmt.Errorf("--connections: %d is less than 1", conns)
				}
				m, err := doctor.ThisMachine()
				if err != nil {
					return &codeError{exitRuntime, err}
				}
				report = doctor.Local(m, conns)
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(report); err != nil {
					return &codeError{exitRuntime, err}
				}
			} else {
				report.Write(c.OutOrStdout())
			}
			if report.Worst() == doctor.Fail {
				return &codeError{exitRuntime, errUnwell}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&target, "url", "", "server to try, http(s)://host[:port][/path] (default this machine)")
	f.StringVar(&origin, "origin", "", "the page's origin, scheme://host[:port] (default the server's)")
	f.IntVar(&conns, "connections", 10_000, "connections that this machine is to hold")
	f.DurationVar(&idle, "idle", time.Minute,
		"longest wait for the server's ping on idle connections, 0 is none")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
