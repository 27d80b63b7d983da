package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of the processor times in /proc, 1/100 s on Linux.
const clockTick = 10 * time.Millisecond

// server is the process under test.
type server struct {
	cmd  *exec.Cmd
	pid  int
	addr string
}

// start runs a command on one core and waits until it listens.
func start(cpu int, command []string) (*server, error) {
	pin := []string{"taskset", "-c", strconv.Itoa(cpu)}
	command = append(pin, command...)
	c := exec.Command(command[0], command[1:]...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: c, pid: c.Process.Pid}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			s.addr = addr
			return s, nil
		}
	}
	s.stop()
	return nil, fmt.Errorf("%q did not say where it listens", command)
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// resident is the process's memory in bytes, without what it shares with
// files.
func resident(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(b, []byte("RssAnon:"))
	kb, _, ok := bytes.Cut(bytes.TrimSpace(rest), []byte(" kB"))
	if !ok {
		return 0, fmt.Errorf("no RssAnon of process %d", pid)
	}
	n, err := strconv.Atoi(string(kb))
	return n << 10, err
}

// busy is the processor time that the process has used.
func busy(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; fields 14 and 15 of all.
	at := bytes.LastIndexByte(b, ')')
	fields := strings.Fields(string(b[at+1:]))
	if at < 0 || len(fields) < 13 {
		return 0, fmt.Errorf("no times of process %d", pid)
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("no times of process %d", pid)
	}
	return time.Duration(user+system) * clockTick, nil
}
