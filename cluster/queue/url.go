package queue

import (
	"errors"

	"github.com/valkey-io/valkey-go"
)

// CheckURL tells whether Open would take a URL.
func CheckURL(url string) error {
	_, err := clientOption(url)
	return err
}

// clientOption is a connection of its own with small buffers, which is found
// dead within pingInterval and pingTimeout.
func clientOption(url string) (valkey.ClientOption, error) {
	opt, err := valkey.ParseURL(url)
	if err != nil {
		// The URL may hold a password, which the error may quote.
		return opt, errors.New("the URL is none of redis://, rediss://, valkey://, " +
			"valkeys:// or unix://, or has a part that is wrong")
	}
	opt.ForceSingleClient = opt.Sentinel.MasterSet == ""
	opt.SelectDB = 0
	opt.DisableCache = true
	opt.PipelineMultiplex = -1 // one connection
	opt.ReadBufferEachConn = 64 << 10
	opt.WriteBufferEachConn = 4 << 10
	opt.RingScaleEachConn = 4
	opt.BlockingPoolSize = 1
	opt.Dialer.KeepAlive = pingInterval
	opt.ConnWriteTimeout = pingTimeout
	opt.ClientName = "throng-queue"
	return opt, nil
}
