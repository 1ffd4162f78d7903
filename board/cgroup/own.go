package cgroup

import (
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// Own is how much memory the groups in which this program runs leave it, in bytes; 0 where nothing bounds it, or where
// that cannot be known. In a container the tree begins with the container's own group.
func Own() uint64 { return own("/proc/self/cgroup", At) }

// KeepWithin has Go's runtime be thrifty before this program meets the bound around it, and returns that; 0: none. Whoever
// has told the runtime otherwise (GOMEMLIMIT) is obeyed.
func KeepWithin(getenv func(string) string) (bound uint64) {
	bound = Own()
	if bound > 0 && getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(Thrifty(bound))
	}
	return bound
}

// own takes the least bound of a program's group and of those around it.
func own(membership, tree string) (least uint64) {
	text, err := os.ReadFile(membership)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/") // of version 2
		if !ok {
			continue
		}
		for at := path.Clean("/" + group); ; at = path.Dir(at) {
			if max := bound(filepath.Join(tree, at, "memory.max")); max > 0 && (least == 0 || max < least) {
				least = max
			}
			if at == "/" {
				return least
			}
		}
	}
	return 0
}

// bound reads a bound of memory; 0: there is none.
func bound(file string) uint64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n > math.MaxInt64 { // "max"
		return 0
	}
	return n
}

// Thrifty is the soft limit of Go's runtime for a program that may have so much memory, in bytes: it collects more
// often from there on. The rest is for stacks, for files that lie in memory, and for what grows faster than it collects.
func Thrifty(bound uint64) int64 { return int64(bound / 4 * 3) }
