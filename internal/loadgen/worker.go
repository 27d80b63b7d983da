package loadgen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

const (
	readSize  = 256 << 10
	maxEvents = 512
	tickEvery = 250 * time.Millisecond
	// nap is how long a worker that must not sleep in epoll rests: a client
	// asleep there is woken by an interrupt that the server pays for, which
	// clients on another machine would not cost it.
	nap = 50 * time.Microsecond
)

// worker is one process of the generator. One goroutine, bound to its thread.
type worker struct {
	plan    Plan
	num     int
	epfd    int
	control int // descriptor that commands come from
	reports io.Writer

	targets    []unix.Sockaddr
	upgrade    [][]byte // request for each target
	sources    []netip.Addr
	nextSource int
	joinedHead []byte

	conns   []conn
	windows []window // perConn for each connection
	perConn int
	senders []sender
	form    template // of what is sent
	entry   template // of a join
	queue   []int32  // to be dialed
	nextAt  int64    // when the next may be, with Plan.Ramp
	timers  timers

	pingInterval, pingTimeout time.Duration

	buf, scratch, packetBuf []byte
	events                  []unix.EpollEvent
	input                   []byte // an unfinished command
	commands                []command

	counts    counts
	latency   hist
	interval  hist // since the last tick
	handshake hist
	lag       hist
	backTime  hist
	last      receipts
	errors    map[string]*ErrorCount

	credited, spare []int32 // senders that may send, in a closed loop
	sending         bool    // credit counts
	settled         settlement

	doing    string
	stopped  bool // by doStop
	napping  bool
	lastTick int64
	longest  int64 // turn
	random   *rand.Rand

	// What the scenario wants to know; nil if nothing.
	cameIn func(i int32)
	lostIt func(i int32, was uint8)
	hungUp func(i int32)
}

// Work is a worker's life: commands come from in, reports go to out. It
// returns when in ends.
func Work(in *os.File, out io.Writer) error {
	runtime.LockOSThread()
	debug.SetGCPercent(400)
	// Without this a nap takes 50 us more.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	w := &worker{control: int(in.Fd()), reports: out, errors: map[string]*ErrorCount{},
		buf: make([]byte, readSize), events: make([]unix.EpollEvent, maxEvents),
		latency: newHist(), interval: newHist(), handshake: newHist(), lag: newHist(),
		backTime: newHist(), random: rand.New(rand.NewPCG(uint64(now()), uint64(os.Getpid())))}
	var err error
	if w.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if err = unix.SetNonblock(w.control, true); err != nil {
		return err
	}
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1}
	if err = unix.EpollCtl(w.epfd, unix.EPOLL_CTL_ADD, w.control, &e); err != nil {
		return err
	}
	err = w.obey()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// obey does commands until there are no more. The end of the input ends
// whatever is being done by a panic with endOfInput, so that no loop has to look
// for it.
func (w *worker) obey() (err error) {
	defer func() {
		if p := recover(); p != nil {
			gone, ok := p.(endOfInput)
			if !ok {
				panic(p)
			}
			err = gone.error
		}
	}()
	for {
		for len(w.commands) == 0 {
			w.turn(time.Second)
		}
		c := w.commands[0]
		w.commands = w.commands[1:]
		began := now()
		w.doing, w.stopped, w.longest, w.lastTick = c.Do, c.stopped, 0, began
		err := w.do(c)
		w.doing, w.napping = "", false
		w.report(c.Do, err, began)
	}
}

type endOfInput struct{ error }

func (w *worker) do(c command) error {
	if w.plan.Processes == 0 && c.Do != doSetup {
		return fmt.Errorf("%s before setup", c.Do)
	}
	switch c.Do {
	case doSetup:
		return w.setup(c)
	case doConnect:
		w.connectAll()
	case doJoin:
		w.joinAll()
	case doHold:
		w.until(now()+int64(c.For), nil)
	case doSend:
		w.sendAll()
	case doFinish:
		w.finish(c.Sent)
	case doChurn:
		w.churn()
	case doStorm:
		w.storm()
	default:
		return fmt.Errorf("no command %q", c.Do)
	}
	return nil
}

// setup makes everything that must not be made while measuring.
func (w *worker) setup(c command) error {
	p := *c.Plan
	w.plan, w.num = p, c.Worker
	if len(p.CPUs) > 0 {
		var set unix.CPUSet
		set.Set(p.CPUs[w.num%len(p.CPUs)])
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return fmt.Errorf("cannot run on processor %d: %w", p.CPUs[w.num%len(p.CPUs)], err)
		}
	}
	n := p.share(p.Connections, w.num)
	if p.Scenario == Churn {
		n += p.share(p.InFlight, w.num)
	}
	w.conns = make([]conn, n)
	for i := range w.conns {
		w.conns[i].fd, w.conns[i].sender = -1, -1
	}
	w.perConn = p.streams()
	w.windows = make([]window, n*w.perConn)
	for _, t := range p.Targets {
		w.targets = append(w.targets, sockaddr(t.Addr))
		w.upgrade = append(w.upgrade, p.upgradeRequest(t))
	}
	w.sources = p.sources(w.num)
	if p.joins() && p.Contract.Joined != "" {
		name, _ := json.Marshal(p.Contract.Joined)
		w.joinedHead = append([]byte(eventHead(p.Contract.Namespace)+"["), name...)
	}
	if p.joins() {
		w.entry = newTemplate(p.Contract.Namespace, p.Contract.Join, 0)
	}
	if p.streams() > 0 {
		w.form = newTemplate(p.Contract.Namespace, p.event(), p.Size)
	}
	if p.Scenario != Echo {
		w.last = newReceipts(p.senders())
	}
	for i := range int32(p.share(p.Connections, w.num)) {
		if s := p.sends(w.global(i)); s >= 0 {
			w.conns[i].sender = int32(len(w.senders))
			w.senders = append(w.senders, sender{conn: i, stream: uint32(s), room: p.room(w.global(i))})
		}
	}
	return nil
}

// global is the number of connection i over all workers.
func (w *worker) global(i int32) int { return int(i)*w.plan.Processes + w.num }

// ownWindows are those of connection i.
func (w *worker) ownWindows(i int32) []window {
	return w.windows[int(i)*w.perConn : (int(i)+1)*w.perConn]
}

// until turns the loop until a time or until cond holds, and reports whether
// cond did. It ends early when the coordinator says so.
func (w *worker) until(at int64, cond func() bool) bool {
	for !w.stopped {
		if cond != nil && cond() {
			return true
		}
		left := at - now()
		if left <= 0 {
			break
		}
		w.turn(time.Duration(left))
	}
	return false
}

// turn waits for at most d and handles what came.
func (w *worker) turn(d time.Duration) {
	begin := now()
	if w.doing != "" && begin-w.lastTick >= int64(tickEvery) {
		w.tick(begin)
	}
	for len(w.timers) > 0 && w.timers[0].at <= begin {
		w.expired(w.timers.pop())
	}
	if len(w.timers) > 0 {
		d = min(d, time.Duration(w.timers[0].at-begin))
	}
	d = min(d, w.dialSome(begin), tickEvery)
	w.longest = max(w.longest, now()-begin)
	n := w.wait(d)
	begin = now()
	for k := range w.events[:n] {
		e := w.events[k]
		if e.Fd < 0 {
			w.readCommands()
			continue
		}
		w.ioEvent(e)
	}
	w.longest = max(w.longest, now()-begin)
}

func (w *worker) ioEvent(e unix.EpollEvent) {
	i := e.Fd
	if uint32(e.Pad)>>1 != w.conns[i].gen<<1>>1 {
		return // of a descriptor that is closed
	}
	if e.Pad&1 == 1 {
		w.auxEvent(i, e.Events)
		return
	}
	if e.Events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 &&
		(w.conns[i].wantOut || w.conns[i].state == dialing) {
		w.writable(i)
	}
	if e.Events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP|unix.EPOLLRDHUP) != 0 &&
		uint32(e.Pad)>>1 == w.conns[i].gen<<1>>1 && w.conns[i].state > dialing {
		w.readable(i)
	}
}

// wait is epoll_wait, without sleeping there while measuring.
func (w *worker) wait(d time.Duration) int {
	ms := int(d / time.Millisecond)
	if w.napping || d > 0 && ms == 0 {
		ms = 0
	}
	for {
		n, err := unix.EpollWait(w.epfd, w.events, max(ms, 0))
		if err != nil {
			n = 0 // EINTR; anything else shows as nothing happening
		}
		if n > 0 || ms > 0 || d <= 0 {
			return n
		}
		ts := unix.NsecToTimespec(int64(min(d, nap)))
		_ = unix.Nanosleep(&ts, nil)
		d = 0 // one look after the nap
	}
}

// expired handles a timer.
func (w *worker) expired(t timer) {
	c := &w.conns[t.conn]
	if c.gen != t.gen {
		return
	}
	switch t.kind {
	case timerHandshake:
		if c.state != ready && c.state != offline {
			w.drop(t.conn, errTimeout, fmt.Sprintf("%s for %s", stateNames[c.state], w.plan.Timeout))
		}
	case timerRedial:
		if c.state == offline {
			w.queue = append(w.queue, t.conn)
		}
	}
}

// dialSome connects as many of the queue as may be now, and returns how long
// it is until more may.
func (w *worker) dialSome(at int64) time.Duration {
	if len(w.queue) == 0 {
		return time.Hour
	}
	limit := max(w.plan.share(w.plan.InFlight, w.num), 1)
	for len(w.queue) > 0 && w.counts.InFlight < limit {
		if w.plan.Ramp > 0 {
			if w.nextAt > at {
				return time.Duration(w.nextAt - at)
			}
			// What was missed by more than a tick is not made up for in a burst.
			w.nextAt = max(w.nextAt, at-int64(tickEvery)) +
				int64(float64(time.Second)*float64(w.plan.Processes)/w.plan.Ramp)
		}
		i := w.queue[0]
		w.queue = w.queue[1:]
		if w.conns[i].state == offline {
			w.dial(i)
		}
	}
	return time.Hour
}

// readCommands takes what the coordinator wrote.
func (w *worker) readCommands() {
	var b [64 << 10]byte
	n, err := unix.Read(w.control, b[:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		panic(endOfInput{err})
	case n == 0:
		panic(endOfInput{io.EOF})
	}
	w.input = append(w.input, b[:n]...)
	for {
		line, rest, ok := bytes.Cut(w.input, []byte("\n"))
		if !ok {
			return
		}
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			panic(endOfInput{fmt.Errorf("a command that is none: %w", err)})
		}
		w.input = rest
		switch last := len(w.commands) - 1; {
		case c.Do != doStop:
			w.commands = append(w.commands, c)
		case last >= 0:
			w.commands[last].stopped = true
		default:
			w.stopped = true // without effect if nothing is being done
		}
	}
}

// tick says how it goes.
func (w *worker) tick(at int64) {
	w.lastTick = at
	r := report{Kind: tick, Do: w.doing, Counts: w.counts}
	if w.interval.TotalCount() > 0 {
		r.P50 = float64(w.interval.ValueAtQuantile(50)) / 1000
		r.P99 = float64(w.interval.ValueAtQuantile(99)) / 1000
		w.interval.Reset()
	}
	w.say(r)
}

func (w *worker) say(r report) {
	b, err := json.Marshal(r)
	if err == nil {
		_, err = w.reports.Write(append(b, '\n'))
	}
	if err != nil {
		panic(endOfInput{err})
	}
}
