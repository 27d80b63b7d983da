package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// rival is a server that keeps the contract of benchmarks/contractserver.
type rival struct {
	name    string
	command []string
	env     []string
	version func() (string, error) // an error: it cannot run here
	// few: it bears only few connections, or would take minutes to take more.
	few bool
}

const (
	floorName = "C floor"
	bin       = "bin/rivals/"
	python    = "/usr/bin/python3" // Debian's, which has Debian's packages
)

func rivals() []rival {
	return []rival{
		{name: floorName, command: []string{bin + "floor", "{addr}"},
			version: tool(bin+"floor", "one send() a delivery", "gcc", "--version")},
		{name: "throng", command: []string{"bin/contractserver", "-listen", "{addr}"},
			version: func() (string, error) {
				return commit() + ", " + runtime.Version(), here("bin/contractserver")
			}},
		{name: "goroutines", command: []string{bin + "goroutine", "{addr}"},
			version: module(bin+"goroutine", "github.com/coder/websocket")},
		{name: "Go port", command: []string{bin + "goport", "{addr}"},
			version: module(bin+"goport", "github.com/zishang520/socket.io/servers/socket/v3")},
		{name: "Node", env: []string{"NODE_ENV=production"},
			command: []string{"node", "benchmarks/rivals/node/server.js", "{addr}"},
			version: nodeVersion},
		{name: "Flask", command: []string{python, "benchmarks/rivals/flask/server.py", "{addr}"},
			version: tool(python, "", python, "-c", flaskVersions), few: true},
	}
}

func names() string {
	var out []string
	for _, r := range rivals() {
		out = append(out, r.name)
	}
	return strings.Join(out, ", ")
}

// extras are servers named on the command line, name=command.
func extras(all []string) (out []rival) {
	for _, e := range all {
		name, command, _ := strings.Cut(e, "=")
		f := strings.Fields(command)
		if len(f) == 0 {
			f = []string{"no command in -extra " + e}
		}
		out = append(out, rival{name: name, command: f, version: func() (string, error) {
			_, err := exec.LookPath(f[0])
			return "", err
		}})
	}
	return out
}

func here(file string) error {
	if _, err := os.Stat(file); err != nil {
		return errors.New(file + " was not built")
	}
	return nil
}

// tool is the first line that a command prints, after what.
func tool(file, what string, command ...string) func() (string, error) {
	return func() (string, error) {
		if err := here(file); err != nil {
			return "", err
		}
		out, err := output(command...)
		if what != "" {
			out = what + ", " + out
		}
		return out, err
	}
}

func output(command ...string) (string, error) {
	c := exec.Command(command[0], command[1:]...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		text := strings.TrimSpace(stderr.String())
		return "", fmt.Errorf("%s: %w: %s", command[0], err, text[strings.LastIndexByte(text, '\n')+1:])
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}

// module is the version of a module in a Go binary.
func module(file, path string) func() (string, error) {
	return func() (string, error) {
		if err := here(file); err != nil {
			return "", err
		}
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			return "", err
		}
		for _, m := range info.Deps {
			if m.Path == path {
				return path + " " + m.Version + ", " + info.GoVersion, nil
			}
		}
		return "", fmt.Errorf("%s is built without %s", file, path)
	}
}

func nodeVersion() (string, error) {
	const code = `
const file = "benchmarks/rivals/node/node_modules/socket.io/package.json";
const { version } = JSON.parse(require("fs").readFileSync(file));
console.log("socket.io " + version + ", Node " + process.version)`
	return output("node", "-e", code)
}

const flaskVersions = `
import sys
import geventwebsocket, gevent
from importlib.metadata import version
print(", ".join(p + " " + version(p) for p in
    ("Flask-SocketIO", "python-socketio", "gevent")) + ", Python " + sys.version.split()[0])`

// commit names what throng was built from.
func commit() string {
	v, err := output("git", "describe", "--tags", "--always", "--dirty")
	if err != nil {
		return "unknown"
	}
	return v
}
