package valkey

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	vk "github.com/valkey-io/valkey-go"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/fields"
)

// emitKeep is how many entries of emitters are kept, about.
const emitKeep = 100_000

// Emitter publishes from a process that is no node. Any goroutine may call any
// method.
type Emitter struct {
	opt    Options
	client vk.Client
	mu     sync.RWMutex
	closed bool
}

// NewEmitter connects to Valkey; of opt only URL, TLS, Prefix, Timeout,
// StreamAge and MaxEntry count. A broker that cannot be reached within 5 s is
// an error.
func NewEmitter(ctx context.Context, opt Options) (*Emitter, error) {
	if err := opt.validate(); err != nil {
		return nil, fmt.Errorf("valkey: %w", err)
	}
	client, err := opt.connect(ctx, &lines{})
	if err != nil {
		return nil, fmt.Errorf("valkey: %w", err)
	}
	return &Emitter{opt: opt, client: client}, nil
}

// Publish appends an entry that every node will receive, and waits until the
// broker has it. After a timeout or a cut connection it may have it or not.
func (e *Emitter) Publish(op []byte) error {
	if len(op) > e.opt.MaxEntry {
		return fmt.Errorf("valkey: the entry has %d bytes, MaxEntry is %d", len(op), e.opt.MaxEntry)
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return fmt.Errorf("valkey: %w", cluster.ErrClosed)
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.opt.timeoutFor(len(op)))
	defer cancel()
	b := e.client.B()
	stream := e.opt.Prefix + "{emit}"
	res := e.client.DoMulti(ctx,
		b.Xadd().Key(stream).Maxlen().Almost().Threshold(strconv.Itoa(emitKeep)).Id("*").
			FieldValue().FieldValue(fieldMessages,
			vk.BinaryString(fields.Append(make([]byte, 0, len(op)+5), op))).Build(),
		b.Pexpire().Key(stream).Milliseconds(e.opt.StreamAge.Milliseconds()).Build())
	if err := res[0].Error(); err != nil {
		return fmt.Errorf("valkey: %s did not take the entry: %w", e.opt.where(), err)
	}
	return nil
}

// Close ends the connection.
func (e *Emitter) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.closed = true
		e.client.Close()
	}
	return nil
}
