package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/throng-server/throng/benchmarks/rivals/internal/harness"
)

// crowd is what has been started.
type crowd struct {
	settings *settings
	limit    uint64
	addr     string

	broker  *harness.Server // nil with one process
	servers []*harness.Server
}

// oneLoop tells that the servers outnumber the processors: a second loop in
// each would only be one more thread to switch to.
func (s *settings) oneLoop() bool { return s.processes > runtime.NumCPU() }

// start starts the broker, if there is anything to join, and the servers.
func (c *crowd) start() error {
	s := c.settings
	var err error
	if c.addr, err = harness.FreeAddr(s.host); err != nil {
		return err
	}
	command := []string{s.server, "-listen", "{addr}", "-ping-interval", s.ping.String()}
	if s.processes > 1 {
		addr, err := harness.FreeAddr(s.host)
		if err != nil {
			return err
		}
		b, err := harness.Start("", addr, nil, []string{s.valkey, "--bind", "{host}", "--port", "{port}",
			"--save", "", "--appendonly", "no"})
		if err != nil {
			return fmt.Errorf("the broker: %w", err)
		}
		c.broker = b
		command = append(command, "-share", "-valkey", "valkey://"+addr)
	}
	var env []string
	if s.oneLoop() {
		env = append(env, "GOMAXPROCS=1")
	}
	for i := range s.processes {
		one := command
		if s.processes > 1 {
			one = append(command[:len(command):len(command)], "-node-id", "node-"+strconv.Itoa(i+1))
		}
		srv, err := harness.StartSharing("", c.addr, env, one)
		if err != nil {
			return err
		}
		c.servers = append(c.servers, srv)
	}
	return nil
}

// stop ends everything that was started.
func (c *crowd) stop() {
	for _, s := range c.servers {
		s.Stop()
	}
	if c.broker != nil {
		c.broker.Stop()
	}
}

func (c *crowd) pids() (out []int) {
	for _, s := range c.servers {
		out = append(out, s.PID)
	}
	return out
}

// gone names the processes that have ended by themselves.
func (c *crowd) gone() error {
	var err error
	for i, s := range c.servers {
		if s.Ended() {
			err = errors.Join(err, fmt.Errorf("server %d has ended", i+1))
		}
	}
	if c.broker != nil && c.broker.Ended() {
		err = errors.Join(err, errors.New("the broker has ended"))
	}
	return err
}

// brokerCPU is the processor time that the broker has used.
func (c *crowd) brokerCPU() time.Duration {
	if c.broker == nil {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.broker.PID))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * time.Second / 100
}
