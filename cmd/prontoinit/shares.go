package main

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/board/cgroup"
	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
	"golang.org/x/sys/unix"
)

// least is what a program needs of memory on the smallest box, in bytes.
const least = 128 << 20

// shareOf is how much of a box's memory a service may have, in bytes: what is left is for the kernel, for the system,
// which lies in memory too, and for the first program.
func shareOf(service string, total uint64) uint64 {
	switch service {
	case exchange:
		return max(total/2, least)
	case updater: // it patches one file of a system at a time
		return max(total/8, least/2)
	default:
		return max(total/4, least)
	}
}

// share has each service begin in a group of its own with a bound, and tells Go's runtime there to be thrifty before
// that is reached. Where the kernel cannot do it the services go on without, and the log says so.
func (b *box) share(all []supervise.Service) []supervise.Service {
	tree, err := cgroup.Mount(cgroup.At)
	if err != nil {
		b.log.Error("a program that takes too much is not stopped in time", "err", err)
	}
	var st unix.Sysinfo_t
	if err := unix.Sysinfo(&st); err != nil {
		b.log.Error("memory not known", "err", err)
		return all
	}
	for i := range all {
		a, ok := account.Of(all[i].Name, paths())
		if tree == nil || !ok {
			continue
		}
		l := cgroup.Limit{Memory: shareOf(all[i].Name, uint64(st.Totalram)*uint64(st.Unit)), Processes: a.Cell.Threads}
		g, err := tree.Make(all[i].Name, l)
		if err != nil {
			b.log.Error("a program has no bound", "of", all[i].Name, "err", err)
			continue
		}
		b.groups = append(b.groups, g)
		all[i].Group = g.Dir
		all[i].Env = append(all[i].Env, fmt.Sprintf("GOMEMLIMIT=%d", cgroup.Thrifty(l.Memory)))
		b.log.Info("share", "of", g.Name, "memory_MB", g.Limit.Memory/1e6, "processes", g.Limit.Processes)
	}
	return all
}

// sayEnded tells of programs that wanted more than their share.
func (b *box) sayEnded() {
	status := map[string]supervise.ServiceStatus{}
	for _, st := range b.services.Status() {
		status[st.Name] = st
	}
	for _, g := range b.groups {
		n, err := g.Ended()
		if err != nil {
			b.log.Warn("memory", "of", g.Name, "err", err)
		}
		if n > 0 {
			b.log.Error("a program wanted more memory than its share, and was ended", "of", g.Name, "memory_MB", g.Limit.Memory/1e6, "processes", n)
		}
		b.kills.look(g.Name, n, status[g.Name], time.Now())
	}
}
