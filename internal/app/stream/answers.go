package stream

import (
	"context"

	"github.com/valkey-io/valkey-go"
)

// read waits for answers, at most block, and passes them on.
func (s *Stream) read(ctx context.Context, c valkey.Client, pos *string) error {
	s.mu.Lock()
	if s.fresh {
		*pos, s.fresh = "0", false
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, block+timeout)
	defer cancel()
	reply := s.o.reply()
	got, err := c.Do(ctx, c.B().Xread().Count(readCount).Block(block.Milliseconds()).
		Streams().Key(reply).Id(*pos).Build()).AsXRead()
	if valkey.IsValkeyNil(err) {
		return nil
	}
	if err != nil {
		return err
	}
	entries := got[reply]
	if len(entries) == 0 {
		return nil
	}
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, e.ID)
		s.pass(e.FieldValues, false)
	}
	*pos = ids[len(ids)-1]
	// What is not removed is not read again, either.
	return c.Do(ctx, c.B().Xdel().Key(reply).Id(ids...).Build()).Error()
}

// pass gives an answer to take.
func (s *Stream) pass(fields map[string]string, orphan bool) {
	if _, hello := fields["hello"]; hello {
		return
	}
	s.mu.Lock()
	s.status.Answers++
	if orphan {
		s.status.Orphans++
	}
	s.mu.Unlock()
	_, dead := fields["dead"]
	s.take(Answer{ID: fields["id"], Namespace: fields["namespace"], Text: []byte(fields["answer"]),
		Dead: dead, Orphan: orphan})
}

// adopt passes on the answers to a server that is gone, each of which belongs to
// who removes it.
func (s *Stream) adopt(ctx context.Context, c valkey.Client, reply string) error {
	for ctx.Err() == nil {
		list, err := c.Do(ctx, c.B().Xrange().Key(reply).Start("-").End("+").
			Count(readCount).Build()).AsXRange()
		if err != nil || len(list) == 0 {
			return err
		}
		for _, e := range list {
			mine, err := c.Do(ctx, c.B().Xdel().Key(reply).Id(e.ID).Build()).AsInt64()
			if err != nil {
				return err
			}
			if mine == 1 {
				s.pass(e.FieldValues, true)
			}
		}
	}
	return ctx.Err()
}
