// Package powercut is a file system in memory that remembers each operation, and every state in which a power cut
// could have left a disk: tests of durable state look at all of them.
//
// The disk is a harsh one. Names become safe in the order in which they were given, as a file system with a journal has
// it, but at the latest when their directory is synced. What was written into a file becomes safe when the file is
// synced; of what was written since then anything may be there: all, nothing, the last write without those before it,
// some sectors of a write. A file may have its length and no content. A name may be safe whose content is not.
package powercut

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// sector is what a disk writes whole or not at all.
const sector = 512

type kind int

const (
	create kind = iota
	rename
	remove
	write
	resize
	syncFile
	syncDir
	note
)

// op is one operation, as it was asked for.
type op struct {
	kind     kind
	name, to string
	inode    int
	off      int64 // or the size
	data     []byte
	n        int
}

func (o op) names() bool { return o.kind <= remove }
func (o op) bytes() bool { return o.kind == write || o.kind == resize }

// Disk is a file system in memory. It is safe for use from many goroutines.
type Disk struct {
	mu     sync.Mutex // guards all below
	names  map[string]int
	files  map[int][]byte
	locked map[string]bool
	next   int
	log    []op
	start  snapshot // what the log begins with
}

// snapshot is the content of a disk.
type snapshot struct {
	names map[string]int
	files map[int][]byte
}

// New returns an empty disk.
func New() *Disk { return from(snapshot{map[string]int{}, map[int][]byte{}}) }

func from(s snapshot) *Disk {
	d := &Disk{names: map[string]int{}, files: map[int][]byte{}, locked: map[string]bool{}, start: s}
	for name, inode := range s.names { // files without a name are gone
		d.names[name], d.files[inode] = inode, slices.Clone(s.files[inode])
		d.next = max(d.next, inode+1)
	}
	return d
}

// Note remembers that something was promised: Cuts tells which notes were made before each cut.
func (d *Disk) Note(n int) { d.did(op{kind: note, n: n}) }

func (d *Disk) did(o op) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, o)
}

// Cut is what a power cut left.
type Cut struct {
	Name  string // which cut it is
	Disk  *Disk
	Notes []int // made before it
}

// Cuts returns every state that a power cut could have left, from before the first operation to after the last one.
func (d *Disk) Cuts() iter.Seq[Cut] {
	d.mu.Lock()
	log, start := slices.Clone(d.log), d.start
	d.mu.Unlock()
	return func(yield func(Cut) bool) {
		for at := range len(log) + 1 {
			done := log[:at]
			var notes []int
			for _, o := range done {
				if o.kind == note {
					notes = append(notes, o.n)
				}
			}
			safe, names, bytes := sorted(done)
			if at > 0 && !log[at-1].names() && !log[at-1].bytes() && len(names)+len(bytes) == 0 && log[at-1].kind != note {
				continue // nothing is open: the next one is the same
			}
			for n := range len(names) + 1 {
				for how, some := range patterns(done, bytes) {
					taken := slices.Concat(safe, names[:n])
					s := apply(start, done, taken, some)
					if !yield(Cut{fmt.Sprintf("after operation %d of %d, %d of %d names, %s", at, len(log), n, len(names), how), from(s), notes}) {
						return
					}
				}
			}
		}
	}
}

// sorted says which operations are safe, and which names and bytes may be there or not.
func sorted(done []op) (safe, names, bytes []int) {
	synced := map[int]int{}    // inode -> its last sync
	listed := map[string]int{} // directory -> its last sync
	for i, o := range done {
		switch o.kind {
		case syncFile:
			synced[o.inode] = i
		case syncDir:
			listed[o.name] = i
		}
	}
	last := -1 // name operations up to here are safe: a file system with a journal keeps their order
	for i, o := range done {
		if at, ok := listed[filepath.Dir(o.name)]; o.names() && ok && i < at {
			last = i
		}
	}
	for i, o := range done {
		at, ok := synced[o.inode]
		switch {
		case o.names() && i <= last, o.bytes() && ok && i < at:
			safe = append(safe, i)
		case o.names():
			names = append(names, i)
		case o.bytes():
			bytes = append(bytes, i)
		}
	}
	return safe, names, bytes
}

// part is what is taken of one write: its bytes from and to.
type part struct{ from, to int }

// patterns are the choices of unsynced writes that are looked at.
func patterns(done []op, bytes []int) iter.Seq2[string, map[int]part] {
	whole := func(all []int) map[int]part {
		some := map[int]part{}
		for _, i := range all {
			some[i] = part{0, len(done[i].data)}
		}
		return some
	}
	return func(yield func(string, map[int]part) bool) {
		if !yield("no unsynced byte", whole(nil)) || len(bytes) == 0 {
			return
		}
		if !yield("every unsynced byte", whole(bytes)) {
			return
		}
		i := bytes[len(bytes)-1]
		before := bytes[:len(bytes)-1]
		if len(before) > 0 && (!yield("the last write alone", whole(bytes[len(bytes)-1:])) || !yield("all but the last write", whole(before))) {
			return
		}
		var lengths, odd []int
		for k, b := range bytes {
			if done[b].kind == resize {
				lengths = append(lengths, b)
			}
			if k%2 == 1 {
				odd = append(odd, b)
			}
		}
		if len(lengths) > 0 && len(lengths) < len(bytes) && !yield("lengths without content", whole(lengths)) {
			return
		}
		if len(odd) > 1 && !yield("every other write", whole(odd)) {
			return
		}
		for _, cut := range tears(done[i]) {
			some := whole(before)
			some[i] = cut
			if !yield(fmt.Sprintf("bytes %d to %d of the last write", cut.from, cut.to), some) {
				return
			}
		}
	}
}

// tears are parts of one write: up to each border of a sector, from each on, and some that no sector explains.
func tears(o op) (all []part) {
	n := len(o.data)
	for edge := sector - int(o.off%sector); edge < n; edge += sector {
		all = append(all, part{0, edge}, part{edge, n})
	}
	if o.kind == write && n > 3 {
		all = append(all, part{0, 1}, part{0, n / 2}, part{0, n - 1}, part{n / 2, n})
	}
	return all
}

// apply makes the content of a disk on which some operations arrived.
func apply(start snapshot, done []op, taken []int, some map[int]part) snapshot {
	s := snapshot{map[string]int{}, map[int][]byte{}}
	for name, inode := range start.names {
		s.names[name], s.files[inode] = inode, start.files[inode]
	}
	own := map[int]bool{} // copied already
	of := func(inode int) []byte {
		if !own[inode] {
			own[inode], s.files[inode] = true, slices.Clone(s.files[inode])
		}
		return s.files[inode]
	}
	is := map[int]bool{}
	for _, i := range taken {
		is[i] = true
	}
	for i, o := range done {
		p, torn := some[i]
		switch {
		case is[i]:
			p = part{0, len(o.data)}
		case !torn:
			continue
		}
		switch o.kind {
		case create:
			s.names[o.name] = o.inode
		case rename:
			if inode, ok := s.names[o.name]; ok {
				s.names[o.to] = inode
				delete(s.names, o.name)
			}
		case remove:
			delete(s.names, o.name)
		case write:
			s.files[o.inode] = put(of(o.inode), o.data[p.from:p.to], o.off+int64(p.from))
		case resize:
			s.files[o.inode] = sized(of(o.inode), o.off)
		}
	}
	return s
}

func put(b, data []byte, off int64) []byte {
	if end := off + int64(len(data)); end > int64(len(b)) {
		b = sized(b, end)
	}
	copy(b[off:], data)
	return b
}

func sized(b []byte, n int64) []byte {
	if n <= int64(len(b)) {
		return b[:n]
	}
	return append(b, make([]byte, n-int64(len(b)))...)
}

// OpenFile implements durable.FileSystem.
func (d *Disk) OpenFile(name string, flag int, _ fs.FileMode) (durable.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	inode, ok := d.names[name]
	switch {
	case !ok && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case !ok:
		inode = d.next
		d.next++
		d.names[name] = inode
		d.log = append(d.log, op{kind: create, name: name, inode: inode})
	case flag&os.O_TRUNC != 0:
		d.files[inode] = nil
		d.log = append(d.log, op{kind: resize, inode: inode})
	}
	return &file{d, name, inode}, nil
}

// ReadFile implements durable.FileSystem.
func (d *Disk) ReadFile(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	inode, ok := d.names[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return slices.Clone(d.files[inode]), nil
}

// List implements durable.FileSystem.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.names {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Rename implements durable.FileSystem.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	inode, ok := d.names[from]
	if !ok {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrNotExist}
	}
	delete(d.names, from)
	d.names[to] = inode
	d.log = append(d.log, op{kind: rename, name: from, to: to})
	return nil
}

// Remove implements durable.FileSystem.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.names[name]; !ok {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(d.names, name)
	d.log = append(d.log, op{kind: remove, name: name})
	return nil
}

// SyncDir implements durable.FileSystem.
func (d *Disk) SyncDir(dir string) error {
	d.did(op{kind: syncDir, name: dir})
	return nil
}

var errLocked = errors.New("in use")

// Lock implements durable.FileSystem.
func (d *Disk) Lock(dir string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked[dir] {
		return nil, fmt.Errorf("%s: %w", dir, errLocked)
	}
	d.locked[dir] = true
	return lock{d, dir}, nil
}

type lock struct {
	d   *Disk
	dir string
}

// Close implements io.Closer.
func (l lock) Close() error {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	delete(l.d.locked, l.dir)
	return nil
}

type file struct {
	d     *Disk
	name  string
	inode int
}

func (f *file) Name() string { return f.name }
func (f *file) Close() error { return nil }

// ReadAt implements io.ReaderAt.
func (f *file) ReadAt(b []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	text := f.d.files[f.inode]
	if off >= int64(len(text)) {
		return 0, io.EOF
	}
	n := copy(b, text[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt.
func (f *file) WriteAt(b []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.files[f.inode] = put(f.d.files[f.inode], b, off)
	f.d.log = append(f.d.log, op{kind: write, inode: f.inode, off: off, data: slices.Clone(b)})
	return len(b), nil
}

// Size implements durable.File.
func (f *file) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.d.files[f.inode])), nil
}

// Truncate implements durable.File.
func (f *file) Truncate(size int64) error { return f.resize(size) }

// Reserve implements durable.File.
func (f *file) Reserve(off, n int64) error {
	f.d.mu.Lock()
	have := int64(len(f.d.files[f.inode]))
	f.d.mu.Unlock()
	return f.resize(max(have, off+n))
}

func (f *file) resize(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.files[f.inode] = sized(f.d.files[f.inode], size)
	f.d.log = append(f.d.log, op{kind: resize, inode: f.inode, off: size})
	return nil
}

// Sync implements durable.File.
func (f *file) Sync() error {
	f.d.did(op{kind: syncFile, inode: f.inode})
	return nil
}

var _ durable.FileSystem = (*Disk)(nil)
