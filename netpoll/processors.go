package netpoll

import (
	"runtime"
	"sync"
)

// Processors is how many processors this process may use, which is what
// Options.Loops is by default: those that the kernel lets it run on, or as many
// as GOMAXPROCS said when this was asked first, if they are fewer. Go takes that
// from a container's limit, or from the environment. Any goroutine.
func Processors() int { return processors() }

var processors = sync.OnceValue(func() int { return min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) })
