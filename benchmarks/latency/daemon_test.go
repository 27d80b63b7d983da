package latency

import (
	"os"

	"golang.org/x/sys/unix"
)

// daemonConfig is the binary that is measured as a server.
type daemonConfig struct {
	Path string
	Args []string
}

// become makes this process, which is on the server's processor, the binary.
// Its log is what the tests read.
func become(cfg daemonConfig) error {
	if err := unix.Dup3(1, 2, 0); err != nil {
		return err
	}
	return unix.Exec(cfg.Path, append([]string{cfg.Path}, cfg.Args...), os.Environ())
}
