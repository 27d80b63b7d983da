package latency

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary plays several parts: the tests, their servers (or the
// binary, "daemon") and their crowds ("load" if nobody measures beside them,
// "asking" if they measure themselves). The environment says which one, and on which processor.
const (
	partVar   = "THRONG_LATENCY_PART"
	configVar = "THRONG_LATENCY_CONFIG"
	coresVar  = "THRONG_LATENCY_CORES"
	pinnedVar = "THRONG_LATENCY_PINNED"
)

type sizes struct {
	members, messages, bursts int
	pause                     time.Duration // between messages, in one variant

	echoers int // clients that echo, each once a period
	period  time.Duration

	sleepers   int
	sleep      time.Duration
	capWorkers int
	capSleep   time.Duration

	compute, computeFor time.Duration // one handler, the whole

	saturators, window int // connections, echoes outstanding on each
	saturateFor        time.Duration

	fanMembers, fanRounds int
	fanFor                time.Duration
}

func TestMain(m *testing.M) {
	part := os.Getenv(partVar)
	err := pin(part)
	if err != nil {
		fmt.Fprintln(os.Stderr, "latency: cannot choose a processor:", err)
		os.Exit(1)
	}
	switch part {
	case "":
		os.Exit(m.Run())
	case "server":
		err = play(serve)
	case "daemon":
		err = play(become)
	case "asking":
		err = play(ask)
	case "crowd", "load":
		err = play(gather)
	default:
		err = fmt.Errorf("no part %q", part)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, part+":", err)
		os.Exit(1)
	}
}

// play runs a part with the configuration in the environment.
func play[C any](part func(C) error) error {
	var c C
	if err := json.Unmarshal([]byte(os.Getenv(configVar)), &c); err != nil {
		return err
	}
	return part(c)
}

// pin moves the process to the first processor it may use, or the last, and
// starts the program again there: the Go runtime counts processors when it
// starts. With one processor everybody shares it. A crowd makes way for the
// clients that measure.
func pin(part string) error {
	want := "pinned " + part
	if os.Getenv(pinnedVar) == want {
		return nil
	}
	runtime.LockOSThread() // exec keeps the attributes of the calling thread
	if long && part == "crowd" {
		idle := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
		if err := unix.SchedSetAttr(0, &idle, 0); err != nil {
			return err
		}
	}
	cores, err := processors()
	if err != nil {
		return err
	}
	core := cores[len(cores)-1]
	if part == "server" || part == "daemon" {
		core = cores[0]
	}
	var set unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	path, err := os.Executable()
	if err != nil {
		return err
	}
	list := strings.Trim(fmt.Sprint(cores), "[]")
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, pinnedVar+"=") || strings.HasPrefix(v, coresVar+"=")
	})
	return unix.Exec(path, os.Args, append(env, pinnedVar+"="+want, coresVar+"="+list))
}

// processors lists those the tests were started on, which a child that
// inherits one of them must be told.
func processors() (cores []int, err error) {
	if list := os.Getenv(coresVar); list != "" {
		for f := range strings.FieldsSeq(list) {
			n, err := strconv.Atoi(f)
			if err != nil {
				return nil, err
			}
			cores = append(cores, n)
		}
		return cores, nil
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	for i := range 1024 {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	return cores, nil
}
