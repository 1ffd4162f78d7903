// Package cpio writes an initramfs in the "newc" form that the kernel unpacks
// (Documentation/driver-api/early-userspace/buffer-format.rst). The same entries give the same bytes: no
// time, user or inode number of the machine that builds gets in.
package cpio

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Entry is one file of the archive. It belongs to root.
type Entry struct {
	Name   string      // without a leading slash
	Mode   fs.FileMode // type and permissions; fs.ModeDir, ModeSymlink, ModeDevice|ModeCharDevice or a plain file
	Data   []byte      // content, or where a symbolic link leads
	Device [2]uint32   // major and minor number of a device node
}

// Modes of stat(2) in the header.
const (
	typeDir     = 0o040000
	typeChar    = 0o020000
	typeFile    = 0o100000
	typeSymlink = 0o120000
)

const trailer = "TRAILER!!!"

// maxFile is what the eight hexadecimal digits of a size can say.
const maxFile = 1<<32 - 1

// Write writes the entries in the order of their names, with the directories that they stand in. A name
// that leads out of the archive or stands twice, and a type that an initramfs has no use for, is an error.
func Write(w io.Writer, entries []Entry) error {
	all, err := complete(entries)
	if err != nil {
		return err
	}
	out := &counted{w: w}
	for i, e := range all {
		kind, links := uint32(typeFile), 1
		switch e.Mode.Type() {
		case 0:
		case fs.ModeDir:
			kind, links = typeDir, 2
		case fs.ModeSymlink:
			kind = typeSymlink
		case fs.ModeDevice | fs.ModeCharDevice:
			kind = typeChar
		default:
			return fmt.Errorf("cpio: %s: a %v does not belong into an initramfs", e.Name, e.Mode.Type())
		}
		if uint64(len(e.Data)) > maxFile {
			return fmt.Errorf("cpio: %s: %d bytes are too many", e.Name, len(e.Data))
		}
		if err := out.record(uint32(i+1), kind|uint32(e.Mode.Perm()), links, e); err != nil {
			return err
		}
	}
	if err := out.record(0, 0, 1, Entry{Name: trailer}); err != nil {
		return err
	}
	return out.pad(512)
}

// complete sorts the entries and adds the directories that are not among them.
func complete(entries []Entry) ([]Entry, error) {
	all, seen := slices.Clone(entries), map[string]bool{}
	for _, e := range entries {
		if e.Name != path.Clean(e.Name) || strings.HasPrefix(e.Name, "/") || e.Name == "." || e.Name == trailer ||
			e.Name == ".." || strings.HasPrefix(e.Name, "../") || strings.ContainsRune(e.Name, 0) {
			return nil, fmt.Errorf("cpio: %q is not the name of a file inside the archive", e.Name)
		}
		if seen[e.Name] {
			return nil, fmt.Errorf("cpio: %s stands twice", e.Name)
		}
		seen[e.Name] = true
	}
	for _, e := range entries {
		for dir := path.Dir(e.Name); dir != "."; dir = path.Dir(dir) {
			if !seen[dir] {
				seen[dir] = true
				all = append(all, Entry{Name: dir, Mode: fs.ModeDir | 0o755})
			}
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// counted knows how far it has written, because records begin at multiples of four.
type counted struct {
	w io.Writer
	n int64
}

func (c *counted) write(b []byte) error {
	n, err := c.w.Write(b)
	c.n += int64(n)
	if err != nil {
		return fmt.Errorf("cpio: %w", err)
	}
	return nil
}

func (c *counted) pad(to int64) error {
	return c.write(make([]byte, (to-c.n%to)%to))
}

func (c *counted) record(inode, mode uint32, links int, e Entry) error {
	var h bytes.Buffer
	// magic, inode, mode, uid, gid, links, mtime, size, device of the file system (2), device of the node (2), length of the name with its end, checksum
	fmt.Fprintf(&h, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		inode, mode, 0, 0, links, 0, len(e.Data), 0, 0, e.Device[0], e.Device[1], len(e.Name)+1, 0)
	h.WriteString(e.Name)
	h.WriteByte(0)
	if err := c.write(h.Bytes()); err != nil {
		return err
	}
	if err := c.pad(4); err != nil {
		return err
	}
	if err := c.write(e.Data); err != nil {
		return err
	}
	return c.pad(4)
}
