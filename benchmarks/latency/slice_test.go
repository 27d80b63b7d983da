package latency

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func slice() {
	us, _ := strconv.Atoi(os.Getenv("SLICE"))
	if us == 0 {
		return
	}
	ents, _ := os.ReadDir("/proc/self/task")
	for _, e := range ents {
		tid, _ := strconv.Atoi(e.Name())
		a, err := unix.SchedGetAttr(tid, 0)
		if err != nil {
			println(err.Error())
			continue
		}
		a.Runtime = uint64(us) * 1000
		if err := unix.SchedSetAttr(tid, a, 0); err != nil {
			println(err.Error())
		}
	}
}
