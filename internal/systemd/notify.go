package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Manager is the service manager. The zero value is none. Its methods are safe
// for any goroutine, never wait for the manager and never fail: a service that
// cannot be watched still serves.
type Manager struct {
	addr     *net.UnixAddr
	watchdog time.Duration
}

// FromEnv reads the variables that the manager sets and removes them, for they
// are not meant for processes started from here.
func FromEnv() Manager {
	var m Manager
	if name := os.Getenv("NOTIFY_SOCKET"); name != "" {
		// @ stands for the null byte of the abstract name space; net knows that.
		m.addr = &net.UnixAddr{Name: name, Net: "unixgram"}
	}
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err == nil && us > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		m.watchdog = time.Duration(us) * time.Microsecond
	}
	for _, v := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(v)
	}
	return m
}

// tell sends one state; STATUS may be empty.
func (m Manager) tell(state, status string) {
	if m.addr == nil {
		return
	}
	var lines []string
	if state != "" {
		lines = append(lines, state)
	}
	if status != "" {
		lines = append(lines, "STATUS="+strings.ReplaceAll(status, "\n", " "))
	}
	c, err := net.DialUnix("unixgram", nil, m.addr)
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte(strings.Join(lines, "\n")))
}

// Ready says that the service serves, or serves again after Reloading. It names
// this process as the main one: behind a wrapper it may not be.
func (m Manager) Ready(status string) {
	m.tell(fmt.Sprintf("READY=1\nMAINPID=%d", os.Getpid()), status)
}

// Reloading says that the configuration is being read; Ready ends it.
func (m Manager) Reloading() {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	m.tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000), "reloading")
}

// Stopping says that the service ends.
func (m Manager) Stopping(status string) { m.tell("STOPPING=1", status) }

// Status is a line for `systemctl status`.
func (m Manager) Status(status string) { m.tell("", status) }

// Watch tells the manager twice in the time it allows that the service is
// alive, as long as alive says so, until done is closed. It returns at once if
// the manager does not ask for it.
func (m Manager) Watch(done <-chan struct{}, alive func() bool) {
	if m.addr == nil || m.watchdog <= 0 {
		return
	}
	t := time.NewTicker(max(m.watchdog/2, time.Millisecond))
	defer t.Stop()
	for {
		if alive() {
			m.tell("WATCHDOG=1", "")
		}
		select {
		case <-t.C:
		case <-done:
			return
		}
	}
}
