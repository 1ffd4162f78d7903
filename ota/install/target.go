// Package install brings the content of a release onto the box: into a download that goes on where it was broken off,
// and from there into the idle slot, which is invalid from the first byte that changes to the last one that is proved.
package install

import "io"

// Target is what a release is written into: the device of the idle slot, or a file.
type Target interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error) // in bytes
	Sync() error          // returns when all that was written is on the card
	DropCache() error     // what is read next comes from the card, not out of memory
}

// Fitter is a target that has to be as long as what is written into it: a file.
type Fitter interface {
	Fit(size int64) error
}
