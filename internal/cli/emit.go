package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/valkey"
)

// emitTime bounds the connection to the broker.
const emitTime = 10 * time.Second

// emission is what `emit` sends.
type emission struct {
	url, namespace string
	rooms, except  []string
	files          []string
	text, volatile bool
}

func newEmit() *cobra.Command {
	var e emission
	c := &cobra.Command{
		Use:   "emit --valkey URL [flags] EVENT [ARGUMENT]...",
		Short: "Send an event to clients of a cluster",
		Long: `Send an event to clients of a cluster, wherever they are connected, from a
process that serves none. Each ARGUMENT is JSON; with --string it is text as it
stands. Arguments that begin with a minus stand behind --.

It ends with 0 when the broker has the event. Servers that are connected deliver
it at once, others when they are back; whether anybody was there is not told.`,
		Example: `  throng emit --valkey valkey://127.0.0.1 --room r news '{"a":1}'
  throng emit --valkey valkey://127.0.0.1 --namespace /chat --string message hello`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			values, err := e.values(args[1:], c.InOrStdin())
			if err != nil {
				return err
			}
			entry, err := e.entry(args[0], values)
			if err != nil {
				return err
			}
			if e.url == "" {
				return errors.New("--valkey is needed")
			}
			if err := checkURL("--valkey", e.url); err != nil {
				return err
			}
			return e.send(c.Context(), entry)
		},
	}
	f := c.Flags()
	f.StringVar(&e.url, "valkey", "", "Valkey URL of the cluster")
	f.StringVar(&e.namespace, "namespace", "/", "namespace of the receivers")
	f.StringArrayVar(&e.rooms, "room", nil,
		"members of this room receive it, or a socket by its id; repeatable (default everybody)")
	f.StringArrayVar(&e.except, "except", nil, "members of this room do not; repeatable")
	f.BoolVar(&e.text, "string", false, "arguments are text, not JSON")
	f.StringArrayVar(&e.files, "binary", nil,
		"file whose bytes are one more argument, - for standard input; repeatable")
	f.BoolVar(&e.volatile, "volatile", false, "drop it for clients that older output waits for")
	return c
}

// values are the arguments of the event.
func (e *emission) values(args []string, stdin io.Reader) ([]any, error) {
	var values []any
	for i, arg := range args {
		if e.text {
			values = append(values, arg)
			continue
		}
		if !json.Valid([]byte(arg)) {
			return nil, fmt.Errorf("argument %d is not JSON: %s (text needs quotes, '\"text\"', "+
				"or --string)", i+1, arg)
		}
		values = append(values, json.RawMessage(arg))
	}
	for _, file := range e.files {
		b, err := readFile(file, stdin)
		if err != nil {
			return nil, fmt.Errorf("--binary: %w", err)
		}
		values = append(values, b)
	}
	return values, nil
}

func readFile(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}

// entry encodes the event, before anybody is asked to take it.
func (e *emission) entry(event string, values []any) ([]byte, error) {
	var k keeper
	to := cluster.NewEmitter(&k).Of(e.namespace).To(e.rooms...).Except(e.except...)
	if e.volatile {
		to = to.Volatile()
	}
	err := to.Emit(event, values...)
	return k.entry, err
}

// keeper keeps what an emitter publishes.
type keeper struct{ entry []byte }

func (k *keeper) Publish(entry []byte) error {
	k.entry = entry
	return nil
}

// send hands an entry to the broker.
func (e *emission) send(ctx context.Context, entry []byte) error {
	ctx, cancel := context.WithTimeout(ctx, emitTime)
	defer cancel()
	p, err := valkey.NewEmitter(ctx, valkey.Options{URL: e.url})
	if err == nil {
		err = errors.Join(p.Publish(entry), p.Close())
	}
	if err != nil {
		return &codeError{exitRuntime, err}
	}
	return nil
}
