package stream

import (
	"context"
	"strconv"
	"time"

	"github.com/valkey-io/valkey-go"
)

const (
	// lostConsumer is after how long a worker that has nothing in hand and asks
	// for nothing is forgotten, and forgetEvery how often that is looked for.
	lostConsumer = time.Hour
	forgetEvery  = time.Minute
)

func itoa(n int) string { return strconv.Itoa(n) }

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// keeper looks after the stream until ctx or the connection ends.
func (s *Stream) keeper(ctx context.Context, c valkey.Client) error {
	t := time.NewTicker(s.o.every())
	defer t.Stop()
	var forgot time.Time
	told := false
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		consumers := time.Duration(0)
		if time.Since(forgot) >= forgetEvery {
			consumers, forgot = lostConsumer, time.Now()
		}
		err := s.look(ctx, c, consumers)
		switch {
		case err == nil:
			told = false
		case ctx.Err() != nil:
			return nil
		case !refused(err):
			return err
		case !told: // a broker that is full, say: the connection is fine
			s.o.Logger.Warn("the stream of the application's workers cannot be looked after",
				"stream", s.o.Name, "error", err)
			told = true
		}
	}
}

// look does once what is to be done again and again.
func (s *Stream) look(ctx context.Context, c valkey.Client, consumers time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 2*timeout)
	defer cancel()
	gone, err := s.touch(ctx, c)
	if err != nil {
		return err
	}
	for _, reply := range gone {
		if err := s.adopt(ctx, c, reply); err != nil {
			return err
		}
	}
	for {
		n, err := s.sweep(ctx, c, consumers)
		if err != nil || n < sweepCount {
			return err
		}
	}
}

// touch says that this server is there, and returns the streams of answers of
// those that are not.
func (s *Stream) touch(ctx context.Context, c valkey.Client) (gone []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	got, err := touch.Exec(ctx, c, []string{s.o.Name, s.o.reply(), s.o.nodes()},
		[]string{Group, itoa(int(keep / time.Second)), seconds(s.o.Idle)}).ToArray()
	if err != nil {
		return nil, err
	}
	made, err := got[0].AsInt64()
	if err != nil {
		return nil, err
	}
	if made == 1 {
		s.mu.Lock()
		s.fresh = true
		s.mu.Unlock()
	}
	return got[1].AsStrSlice()
}

// sweep deals with what dead workers have had in hand, and says how many calls
// those were.
func (s *Stream) sweep(ctx context.Context, c valkey.Client, consumers time.Duration) (int, error) {
	got, err := sweep.Exec(ctx, c, []string{s.o.Name, s.o.dead()}, []string{Group,
		strconv.FormatInt(s.o.Idle.Milliseconds(), 10), itoa(s.o.Attempts), itoa(sweepCount),
		itoa(MaxDead), strconv.FormatInt(consumers.Milliseconds(), 10)}).ToArray()
	if err != nil {
		return 0, err
	}
	var n [4]int64
	for i := range n {
		if n[i], err = got[i].AsInt64(); err != nil {
			return 0, err
		}
	}
	given, err := got[4].ToArray()
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	st := &s.status
	st.Length, st.Pending, st.Kept = int(n[0]), int(n[1]), int(n[2])
	st.Redelivered += uint64(n[3])
	st.Dead += uint64(len(given))
	s.mu.Unlock()
	if n[3] > 0 {
		s.o.Logger.Warn("calls of workers that do not answer go to others",
			"stream", s.o.Name, "calls", n[3], "after", s.o.Idle)
	}
	for _, g := range given {
		f, err := g.AsStrSlice() // id, reply, entry, consumer
		if err != nil {
			return 0, err
		}
		s.o.Logger.Error("a call was given up: no worker has answered it", "id", f[0],
			"attempts", s.o.Attempts, "consumer", f[3], "kept_in", s.o.dead())
		if f[1] == "" {
			continue
		}
		err = c.Do(ctx, c.B().Xadd().Key(f[1]).Nomkstream().Id("*").
			FieldValue().FieldValue("id", f[0]).FieldValue("dead", "1").Build()).Error()
		if err != nil && !valkey.IsValkeyNil(err) {
			return 0, err
		}
	}
	return int(n[3]) + len(given), nil
}
