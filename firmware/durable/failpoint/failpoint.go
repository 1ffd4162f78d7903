// Package failpoint is the machine's file system, on which a program dies of SIGKILL at a write that a test has chosen.
//
// What a program must remember before it says it, it writes first; so the moment after such a write is the one between
// a change and the message that depends on it, which a kill from outside meets once in thousands. The moment before a
// write is the one in which it may have said too much already. A write is either not done at all, or whole: halves are
// the affair of powercut.
package failpoint

import (
	"io/fs"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// Disk is the machine's file system with a program that can be made to die on it. The zero Disk is harmless.
type Disk struct {
	durable.Disk
	left atomic.Int64 // writes until the end, negative when the last of them is not done any more; 0: none is counted
	die  func()       // nil: SIGKILL
}

// After has the program die right after the nth write from now on, before anything else can follow from it; 0 lets it
// live.
func (d *Disk) After(n int) { d.left.Store(int64(max(0, n))) }

// Before has the program die at the nth write from now on, in place of it; 0 lets it live.
func (d *Disk) Before(n int) { d.left.Store(-int64(max(0, n))) }

// OpenFile implements durable.FileSystem.
func (d *Disk) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	f, err := d.Disk.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &file{f, d}, nil
}

type file struct {
	durable.File
	d *Disk
}

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(b []byte, off int64) (int, error) {
	f.d.count(-1)
	n, err := f.File.WriteAt(b, off)
	f.d.count(1)
	return n, err
}

// count counts a write: by -1 before it is done, by 1 after that, of which one counts. Of two writes at the same time
// only one is the last.
func (d *Disk) count(by int64) {
	for {
		left := d.left.Load()
		if left*by <= 0 {
			return
		}
		if d.left.CompareAndSwap(left, left-by) {
			if left == by {
				d.end()
			}
			return
		}
	}
}

// end does not return: a signal to a thread of ours is on its way when the call that sends it is over, and what a
// confined program may send to itself is this one.
func (d *Disk) end() {
	if d.die != nil {
		d.die()
		return
	}
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGKILL)
	select {}
}

var _ durable.FileSystem = (*Disk)(nil)
