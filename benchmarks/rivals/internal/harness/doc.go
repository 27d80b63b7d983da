// Package harness owns what the commands that measure servers from outside
// have in common: starting a server on processors of its own, loading it with
// `throng bench`, and writing what was found into a Markdown file.
package harness
