package clientjs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Version of the official client; package.json pins the same.
const Version = "4.8.4"

// CDN is where the client's authors publish the files of Version.
const CDN = "https://cdn.socket.io/" + Version

// Dir is where the build puts the files, seen from the repository's root.
const Dir = "internal/clientjs/dist"

// Names are the files a Socket.IO server hands out, and no others.
var Names = []string{
	"socket.io.js", "socket.io.js.map",
	"socket.io.min.js", "socket.io.min.js.map",
	"socket.io.msgpack.min.js", "socket.io.msgpack.min.js.map",
	"socket.io.esm.min.js", "socket.io.esm.min.js.map",
}

// embedded is set by embed.go, under the build tag clientjs.
var embedded fs.FS

// Client hands out the files. Any goroutine.
type Client struct {
	mode     string
	files    map[string][]byte
	redirect string
	small    sync.Map // name -> compressed file, made when first asked for
}

// Open selects where the files come from:
//
//	""             embedded if the binary holds them, else Dir if it is
//	               there, else redirect
//	"embedded"     the binary; an error if it was built without them
//	"dir:PATH"     a folder, read now
//	"redirect"     browsers are sent to CDN
//	"redirect:URL" browsers are sent to URL/name
//	"off"          nothing is served
//
// Files of another version than Version are an error: the lock file, the
// binary and the redirect are to agree.
func Open(mode string) (*Client, error) {
	kind, arg, _ := strings.Cut(mode, ":")
	switch {
	case mode == "":
		return auto()
	case mode == "embedded":
		if embedded == nil {
			return nil, errors.New("client files: this binary was built without them " +
				"(make build embeds them)")
		}
		return load("embedded", embedded)
	case kind == "dir" && arg != "":
		return load("dir:"+arg, os.DirFS(arg))
	case mode == "redirect":
		return &Client{mode: "redirect:" + CDN, redirect: CDN}, nil
	case kind == "redirect" && arg != "":
		return &Client{mode: mode, redirect: strings.TrimRight(arg, "/")}, nil
	case mode == "off":
		return &Client{mode: "off"}, nil
	}
	return nil, fmt.Errorf("client files: %q is none of embedded, dir:PATH, "+
		"redirect, redirect:URL, off", mode)
}

func auto() (*Client, error) {
	if embedded != nil {
		return Open("embedded")
	}
	if c, err := Open("dir:" + filepath.FromSlash(Dir)); err == nil {
		return c, nil
	}
	return Open("redirect")
}

func load(mode string, dir fs.FS) (*Client, error) {
	c := &Client{mode: mode, files: make(map[string][]byte, len(Names))}
	for _, name := range Names {
		b, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, fmt.Errorf("client files: %s: %w", mode, err)
		}
		banner := b[:min(len(b), 80)]
		if strings.HasSuffix(name, ".js") &&
			!bytes.Contains(banner, []byte("Socket.IO v"+Version+"\n")) {
			return nil, fmt.Errorf("client files: %s: %s is not of version %s",
				mode, name, Version)
		}
		c.files[name] = b
	}
	return c, nil
}

// Mode is the selected mode in the form that Open takes.
func (c *Client) Mode() string { return c.mode }

// File returns the file called name, one of Names, with the value of its
// Content-Type and ETag headers. body is shared: do not change it.
func (c *Client) File(name string) (body []byte, contentType, etag string, ok bool) {
	body, ok = c.files[name]
	if !ok {
		return nil, "", "", false
	}
	contentType = "application/javascript; charset=utf-8"
	if strings.HasSuffix(name, ".map") {
		contentType = "application/json; charset=utf-8"
	}
	return body, contentType, `"` + Version + `"`, true
}

// Redirect returns where to send a browser that asks for name, if the mode is
// a redirect and name is one of Names.
func (c *Client) Redirect(name string) (url string, ok bool) {
	if c.redirect == "" {
		return "", false
	}
	for _, n := range Names {
		if n == name {
			return c.redirect + "/" + name, true
		}
	}
	return "", false
}
